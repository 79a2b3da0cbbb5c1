import { settings } from '../engine/settings.js';
import { type Kernel, kernel } from './kernel.js';

const CAPACITY = 128;
const kernels = new Map<string, Kernel>();

/** The kernel of a key, made at first use; the one unused for longest makes room. */
export function cached(key: string, make: () => Parameters<typeof kernel>): Kernel {
  const full = settings.eager ? `eager ${key}` : key;
  const hit = kernels.get(full);
  if (hit !== undefined) {
    if (kernels.size === CAPACITY) {
      kernels.delete(full);
      kernels.set(full, hit);
    }
    return hit;
  }
  const made = kernel(...make());
  if (kernels.size === CAPACITY) kernels.delete(kernels.keys().next().value as string);
  kernels.set(full, made);
  return made;
}
