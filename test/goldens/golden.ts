import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type DType, type Tensor, tensor } from '../../src/index.js';

/** A tensor as make_goldens.py writes it. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: readonly number[];
}

/** One evaluation: gradients are those of sum(output * cotangent) for the inputs named by `wrt`. */
export interface GoldenCase {
  readonly name: string;
  readonly op: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly inputs: readonly GoldenTensor[];
  readonly output: GoldenTensor;
  readonly cotangent?: GoldenTensor;
  readonly wrt: readonly number[];
  readonly gradients?: readonly GoldenTensor[];
}

export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** Size of the last place of a float32 near 1. */
const EPS = 2 ** -23;

/** Every tolerance of the golden tests; the first is PyTorch's own for float32 (torch/testing/_comparison.py). */
export const TOLERANCE = {
  float32: { rtol: 1.3e-6, atol: 1e-5 },
  /**
   * Losses of the optimizer traces: 0.5 c (w - t)² loses digits in w - t, so its relative error is 2 eps |w| / |w - t|;
   * near the minimum |w - t| is about |w| / 40. PyTorch's float32 differs from its own float64 by 3.3e-6 here.
   */
  traceLoss: { rtol: 80 * EPS, atol: 1e-5 },
  /**
   * Gradients of the reference network are as small as 1e-9, so 1e-5 would hide errors: sums of 16 to 128 products in
   * float32, in any order, stay within a few eps of the largest gradient of the parameter (PyTorch against float64: 0.6).
   */
  networkGradient: (largest: number): Tolerance => ({ rtol: 1.3e-6, atol: 8 * EPS * largest }),
  /**
   * Adam divides by |g| + 1e-8, so where |g| is about 1e-9 rounding moves a weight by up to lr = 1e-3 a step. That happens to
   * 4 of 100352 weights (PyTorch float32 against float64: 2.5e-5 together), none of them among the sampled ones.
   */
  weightSum: (absSum: number): Tolerance => ({ rtol: 0, atol: 1e-4 + EPS * absSum }),
} as const;

export function readGolden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), 'utf8')) as T;
}

export function toTensor(g: GoldenTensor): Tensor {
  const array =
    g.dtype === 'float32'
      ? Float32Array.from(g.data)
      : g.dtype === 'int32'
        ? Int32Array.from(g.data)
        : Uint8Array.from(g.data);
  return tensor(array, { shape: [...g.shape], dtype: g.dtype });
}

/** dtype, shape and every element; integers and booleans exactly, NaN equal to nothing. */
export async function expectGolden(
  actual: Tensor,
  golden: GoldenTensor,
  tolerance: Tolerance = TOLERANCE.float32,
): Promise<void> {
  expect([...actual.shape]).toEqual([...golden.shape]);
  expect(actual.dtype).toBe(golden.dtype);
  const exact = golden.dtype !== 'float32';
  expectClose(await actual.data(), golden.data, exact ? { rtol: 0, atol: 0 } : tolerance);
}

export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, { rtol, atol }: Tolerance): void {
  expect(actual.length).toBe(expected.length);
  const wrong: string[] = [];
  for (let i = 0; i < expected.length; i++) {
    const bound = atol + rtol * Math.abs(expected[i]);
    if (!(Math.abs(actual[i] - expected[i]) <= bound)) {
      wrong.push(`[${i}] got ${actual[i]}, expected ${expected[i]} within ${bound.toExponential(2)}`);
    }
  }
  expect(wrong.slice(0, 5), `${wrong.length} of ${expected.length} elements differ`).toEqual([]);
}
