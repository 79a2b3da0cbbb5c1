import { describe, expect, it } from 'vitest';
import * as neurite from '../../src/index.js';
import { grad, mul, sum, type Tensor } from '../../src/index.js';
import { expectGolden, type GoldenCase, readGolden, toTensor } from './golden.js';

type Op = (inputs: Tensor[], options: GoldenCase['options']) => Tensor;

/** Operations whose arguments are not simply tensors and an options object. */
const SPECIAL: Record<string, Op> = {
  clip: ([x], { args }) => neurite.clip(x, ...(args as [number, number])),
  concat: (xs, { axis }) => neurite.concat(xs, axis as number),
  stack: (xs, { axis }) => neurite.stack(xs, axis as number),
};

function opNamed(name: string): Op {
  if (name in SPECIAL) return SPECIAL[name];
  const fn = (neurite as Record<string, unknown>)[name];
  if (typeof fn !== 'function') throw new Error(`no operation "${name}" is exported`);
  return (inputs, options) =>
    Object.keys(options).length === 0 ? (fn(...inputs) as Tensor) : (fn(...inputs, options) as Tensor);
}

for (const file of ['elementwise', 'reductions', 'products']) {
  const { cases } = readGolden<{ cases: GoldenCase[] }>(file);
  describe(`${file} against PyTorch`, () => {
    it.each(cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
      const op = opNamed(c.op);
      const inputs = c.inputs.map(toTensor);
      await expectGolden(op(inputs, c.options), c.output);
      if (c.wrt.length === 0) return;
      const cotangent = toTensor(c.cotangent!);
      const gradients = grad((...xs: Tensor[]) => sum(mul(op(xs, c.options), cotangent)), [...c.wrt])(...inputs);
      expect(gradients.length).toBe(c.wrt.length);
      for (const [i, g] of c.gradients!.entries()) await expectGolden(gradients[i], g);
    });
  });
}
