import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configure, type DType, info, isFloat, type Tensor, tensor } from '../../src/core.js';
import { OPS, type OpName } from '../../src/ops/index.js';
import { type Bound, dtypeIn, evaluate, listOf, type OpCase, referenceLeaf } from './case.js';
import { CASES, COMPOSED } from './cases.js';

/** Native results of every case on every instruction set of this machine against the float64 reference. */
const EPS: Record<'float32' | 'float64', number> = { float32: 2 ** -23, float64: 2 ** -52 };
const TINY: Record<'float32' | 'float64', number> = { float32: 2 ** -126, float64: 2 ** -1022 };

const all: [string, readonly OpCase[]][] = [
  ...(Object.keys(OPS) as OpName[]).map((n): [string, readonly OpCase[]] => [n, CASES[n]]),
  ...Object.entries(COMPOSED),
];
const isas = info().isas;
const before = info().isa;

afterAll(() => {
  configure({ isa: before });
});

describe.each(isas)('%s', (isa) => {
  beforeAll(() => {
    configure({ isa });
    expect(info().isa).toBe(isa);
  });
  describe.each(all)('%s', (_, cases) => {
    it.each(cases)('$name', (c) => check(c, 'float32'));
  });
});

// float64 has one implementation, whatever the instruction set.
describe('float64', () => {
  describe.each(all)('%s', (_, cases) => {
    it.each(cases)('$name', (c) => check(c, 'float64'));
  });
});

async function check(c: OpCase, float: 'float32' | 'float64'): Promise<void> {
  const leaves = c.inputs.map((x) => referenceLeaf(x, dtypeIn(x, float)));
  const oracle = listOf(c.run(...leaves));
  const expected = evaluate(oracle);
  const scales = evaluate(scalesOf(c.bound, leaves));
  const outputs = listOf(c.run(...c.inputs.map((x) => native(x.values, x.shape, dtypeIn(x, float)))));
  const actual = await Promise.all(outputs.map((y) => y.data()));
  outputs.forEach((y, i) => {
    expect(y.shape).toEqual(oracle[i].shape);
    expect(y.dtype).toBe(oracle[i].dtype);
    compare(actual[i], expected[i], y.dtype, c.bound, scales[i] ?? scales[0]);
  });
}

function native(values: readonly number[], shape: readonly number[], dtype: DType): Tensor {
  return tensor(
    dtype === 'float64'
      ? Float64Array.from(values)
      : dtype === 'float32'
        ? Float32Array.from(values)
        : Int32Array.from(values),
    { shape, dtype },
  );
}

function scalesOf(bound: Bound, leaves: readonly Tensor[]): readonly Tensor[] {
  return typeof bound === 'object' && 'scale' in bound ? listOf(bound.scale(...leaves)) : [];
}

function compare(
  actual: ArrayLike<number>,
  expected: Float64Array,
  dtype: DType,
  bound: Bound,
  scale: Float64Array | undefined,
): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const rounded = dtype === 'float32' ? Math.fround(expected[i]) : expected[i];
    const error = Math.abs(actual[i] - expected[i]);
    // Kernels run with subnormal results flushed to zero.
    const flushed = isFloat(dtype) && Math.abs(expected[i]) < TINY[dtype] && actual[i] === 0;
    const same = actual[i] === rounded || flushed || (Number.isNaN(actual[i]) && Number.isNaN(rounded));
    if (same || (isFloat(dtype) && error <= allowed(expected[i], i, dtype, bound, scale))) continue;
    throw new Error(`element ${i} of ${expected.length}: got ${actual[i]}, expected ${rounded}, error ${error}`);
  }
}

function allowed(
  expected: number,
  i: number,
  dtype: 'float32' | 'float64',
  bound: Bound,
  scale: Float64Array | undefined,
): number {
  if (bound === 'exact') return 0;
  if ('ulps' in bound) {
    const ulps = dtype === 'float64' ? (bound.float64 ?? bound.ulps) : bound.ulps;
    // Spacing of numbers of the size of the result; below the smallest normal number it does not shrink further.
    const spacing = EPS[dtype] * Math.max(TINY[dtype], 2 ** Math.floor(Math.log2(Math.abs(expected))));
    return ulps * spacing;
  }
  const s = scale as Float64Array;
  return bound.count * EPS[dtype] * s[s.length === 1 ? 0 : i] + TINY[dtype];
}
