import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as ops from '../../src/core.js';
import { type Tensor, tensor, valueAndGrad } from '../../src/core.js';

/**
 * Elementwise ops at ±1e4, ±the largest float32, denormals, ±0, ±infinity, NaN, ±1: values and gradients are PyTorch's, but for
 * the rows of `DIFFERENCES`. A denormal counts as 0 of its sign in arithmetic; ops that choose or copy may pass it on. So at a
 * denormal PyTorch's result there or at 0 is right, and a denormal result is 0. The activations have their own such test.
 */
type Numbers = readonly (number | string)[];
interface Family {
  readonly ops: Record<string, { readonly y: Numbers; readonly gradients: readonly Numbers[] }>;
}
const golden = JSON.parse(readFileSync(new URL('./goldens/edges.json', import.meta.url), 'utf8')) as {
  readonly unary: Family & { readonly x: Numbers };
  readonly binary: Family & { readonly a: Numbers; readonly b: Numbers };
};
const numbers = (list: Numbers): Float32Array => Float32Array.from(list.map(Number));

type Difference = (at: readonly number[], output: number) => number | undefined;
/** Of equal operands the first takes the gradient, of a NaN none does; PyTorch halves it, and gives it to both at a NaN. */
const extreme: Difference = ([a, b], output) => {
  if (output === 0) return undefined;
  if (Number.isNaN(a) || Number.isNaN(b)) return 0;
  return flush(a) === flush(b) ? 2 - output : undefined;
};

/** What differs on purpose: what it is here at these inputs, for output 0 (the value) or the gradient of input `output`. */
const DIFFERENCES: Readonly<Record<string, Difference>> = {
  abs: ([x], output) => (output === 1 && Number.isNaN(x) ? Number.NaN : undefined), // NaN * sign(NaN); PyTorch 0
  sign: ([x], output) => (output === 0 && (x === 0 || Number.isNaN(x)) ? x : undefined), // PyTorch 0 at -0 and NaN
  relu: ([x], output) => {
    if (output === 0) return Object.is(x, -0) ? 0 : undefined; // PyTorch -0
    return Number.isNaN(x) ? 0 : undefined; // PyTorch 1
  },
  // a^b is denormal, so 0, before it is multiplied by log a.
  pow: ([a, b], output) => (output === 2 && b === -1 && a > 1e38 && a < Infinity ? 0 : undefined),
  maximum: extreme,
  minimum: extreme,
};

const TINY = 2 ** -126;
const isTiny = (x: number): boolean => x !== 0 && Math.abs(x) < TINY;
const flush = (x: number): number => (isTiny(x) ? (x > 0 ? 0 : -0) : x);
const show = (x: number): string => (Object.is(x, -0) ? '-0' : String(x));

/** Functions here are good to 4 ulps and PyTorch's to 2; tan near its poles and pow at 1e4 are among them. */
function agrees(actual: number, expected: number): boolean {
  if (Object.is(actual, expected)) return true;
  if (expected === 0) return isTiny(actual);
  return Math.abs(actual - expected) <= 6 * 2 ** -23 * Math.abs(expected) + (isTiny(expected) ? TINY : 0);
}

function check(name: string, inputs: readonly Float32Array[], { y, gradients }: Family['ops'][string]): void {
  const fn = (ops as unknown as Record<string, (...x: Tensor[]) => Tensor>)[name];
  const all = inputs.map((_, i) => i);
  const [[, value], grads] = valueAndGrad((...xs: Tensor[]) => {
    const out = fn(...xs);
    return [out.sum(), out] as const;
  }, all)(...inputs.map((x) => tensor(x)));
  const actual = [value, ...grads].map((t) => t.dataSync());
  const expected = [y, ...gradients].map(numbers);
  const at = (row: number): number[] => inputs.map((x) => x[row]);
  // Row of the same inputs with denormals at 0 of their sign.
  const flushed = (row: number): number => {
    const want = at(row).map(flush);
    return inputs[0].findIndex((_, r) => at(r).every((x, i) => Object.is(x, want[i])));
  };
  const found: string[] = [];
  actual.forEach((values, k) => {
    values.forEach((v, row) => {
      const own = DIFFERENCES[name]?.(at(row), k);
      const candidates = own === undefined ? [expected[k][row], expected[k][flushed(row)]] : [own];
      // The sign of a zero counts in values, unless a denormal was or is one.
      const loose = k > 0 || at(row).some(isTiny);
      if (candidates.some((e) => agrees(v, e) || (loose && v === e))) return;
      const place = `${k === 0 ? 'value' : `gradient ${k}`} at ${at(row).map(show)}`;
      found.push(`${place}: ${show(v)}, expected ${candidates.map(show).join(' or ')}`);
    });
  });
  expect(found).toEqual([]);
}

describe('elementwise ops at the edges', () => {
  const { unary, binary } = golden;
  it.each(Object.keys(unary.ops))('%s', (name) => check(name, [numbers(unary.x)], unary.ops[name]));
  it.each(Object.keys(binary.ops))('%s', (name) => {
    check(name, [numbers(binary.a), numbers(binary.b)], binary.ops[name]);
  });
});
