import { afterEach, expect, it, vi } from 'vitest';
import { macrotask } from '../src/macrotask.js';

afterEach(() => vi.useRealTimers());

it('lets what waits have its turn, also under a fake clock', async () => {
  const order: string[] = [];
  setImmediate(() => order.push('immediate'));
  await Promise.resolve().then(() => order.push('microtask'));
  await macrotask();
  expect(order).toEqual(['microtask', 'immediate']);
  vi.useFakeTimers();
  await macrotask();
});
