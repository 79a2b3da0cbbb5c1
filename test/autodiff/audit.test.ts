import { describe, expect, it } from 'vitest';
import { vmap } from '../../src/autodiff/index.js';
import { isFloat } from '../../src/dtype.js';
import type { OpDef } from '../../src/graph/op.js';
import type { Tensor } from '../../src/graph/tensor.js';
import { NO_GRADIENT } from '../../src/ops/define.js';
import { OPS, type OpName } from '../../src/ops/index.js';
import {
  dtypeIn,
  evaluate,
  type Input,
  isGradChecked,
  isSmall,
  listOf,
  type OpCase,
  referenceLeaf,
} from '../ops/case.js';
import { CASES, COMPOSED } from '../ops/cases.js';

/**
 * What every registered op owes to autodiff, whoever adds it: a case that is small enough to be checked, gradients of first and
 * second order that central differences confirm in float64, and vmap that equals a loop over samples.
 */
const names = Object.keys(OPS) as OpName[];
const record = (name: OpName): OpDef => OPS[name];
const differentiable = names.filter((n) => record(n).vjp !== null && record(n).vjp !== NO_GRADIENT);
const all: [string, readonly OpCase[]][] = [...Object.entries(CASES), ...Object.entries(COMPOSED)];

describe('every differentiable op', () => {
  // test/ops/ops.test.ts runs the checks, for each case that `isGradChecked`.
  it.each(differentiable)('%s has a case whose first and second derivatives are checked by differences', (name) => {
    expect(CASES[name].filter(isGradChecked).length).toBeGreaterThan(0);
  });
});

/** The case's input for sample s: the same shape and kind of values, not the same values. */
function sampleOf(input: Input, s: number): Input {
  const { values } = input;
  const turned = values.map((_, i) => values[(i + s) % values.length]);
  return { ...input, values: isFloat(input.dtype) ? turned.map((v) => v * (1 - 0.125 * s)) : turned };
}

function stacked(samples: readonly Input[]): Input {
  return {
    ...samples[0],
    shape: [samples.length, ...samples[0].shape],
    values: samples.flatMap((x) => x.values),
  };
}

const SAMPLES = 3;

/** vmap over the inputs of `mapped`, the others shared, against one call a sample. */
function checkVmap(c: OpCase, mapped: (i: number) => boolean): void {
  const samples = Array.from({ length: SAMPLES }, (_, s) => c.inputs.map((x, i) => (mapped(i) ? sampleOf(x, s) : x)));
  const leaf = (x: Input): Tensor => referenceLeaf(x, dtypeIn(x, 'float64'));
  const inputs = c.inputs.map((x, i) => leaf(mapped(i) ? stacked(samples.map((own) => own[i])) : x));
  const inAxes = c.inputs.map((_, i) => (mapped(i) ? 0 : null));
  const together = vmap((...xs: Tensor[]) => listOf(c.run(...xs)), { inAxes, randomness: 'same' })(...inputs);
  const values = evaluate(together);
  samples.forEach((own, s) => {
    const alone = evaluate(listOf(c.run(...own.map(leaf))));
    alone.forEach((expected, k) => {
      const actual = values[k].subarray(s * expected.length, (s + 1) * expected.length);
      expect(actual.length).toBe(expected.length);
      for (const [i, e] of expected.entries()) {
        // Decomposed ops round a few times more than the record's reference.
        const close =
          Object.is(actual[i], e) || actual[i] === e || Math.abs(actual[i] - e) <= 1e-10 * Math.max(1, Math.abs(e));
        expect(close, `sample ${s}, output ${k}, element ${i}: got ${actual[i]}, expected ${e}`).toBe(true);
      }
    });
  });
}

describe('vmap of every op equals a loop', () => {
  it.each(all)('%s', (_, cases) => {
    for (const c of cases) {
      if (!isSmall(c) || c.inputs.length === 0 || c.inputs.some((x) => x.shape.length > 6)) continue;
      checkVmap(c, () => true);
      if (c.inputs.length > 1) for (let own = 0; own < c.inputs.length; own++) checkVmap(c, (i) => i === own);
    }
  });
});
