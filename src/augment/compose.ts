import { OptionError } from '../core.js';
import { Augmentation, type ComposeOptions } from './augmentation.js';
import { isMix } from './steps.js';

/**
 * Several augmentations, one after the other. Geometric ones that follow each other are one resampling; mixup and cutmix come
 * last, wherever they stand.
 * @param parts in the order they are done; their own `fill`, `range` and `workers` do not count.
 * @param options `fill` of what lies outside (default 0), `range` of values (default [0, 255] or [0, 1]), `workers`.
 * @throws OptionError for anything that is no augmentation.
 * @example
 * const augmentation = augment.compose([augment.rotate(10), augment.shift(0.08), augment.zoom(0.1), augment.elastic()]);
 * await fit(model, train, { loss: 'crossEntropy', optimizer: 'adam', augment: augmentation });
 */
export function compose(parts: readonly Augmentation[], options: ComposeOptions = {}): Augmentation {
  if (!Array.isArray(parts)) {
    throw new OptionError('compose: expected an array of augmentations, such as [augment.rotate(10), augment.flip()]');
  }
  const steps = (parts as readonly unknown[]).flatMap((part, i) => {
    if (part instanceof Augmentation) return part.steps;
    const hint = typeof part === 'function' ? `; call it, as in augment.${part.name || 'rotate'}(…)` : '';
    throw new OptionError(`compose: part ${i} is ${String(part)}, expected an augmentation${hint}`);
  });
  return new Augmentation([...steps.filter((s) => !isMix(s)), ...steps.filter(isMix)], options);
}
