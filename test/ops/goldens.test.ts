import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as neurite from '../../src/index.js';
import { grad, mul, sum, type Tensor } from '../../src/index.js';
import { expectGolden, type GoldenCase, toTensor } from '../goldens/golden.js';

const { cases } = JSON.parse(readFileSync(new URL('./goldens/arrange.json', import.meta.url), 'utf8')) as {
  cases: GoldenCase[];
};

type Fn = (...args: unknown[]) => Tensor | { readonly values?: Tensor; readonly counts?: Tensor };

/** Options are one object, or `args` after the tensors, or an equation before them. */
function op({ op: name, options }: GoldenCase): (...xs: Tensor[]) => Tensor {
  const fn = (neurite as unknown as Record<string, Fn>)[name];
  const { first, args, ord, ...rest } = options;
  const all = ord === undefined ? rest : { ...rest, ord: Number(ord) };
  const after = args === undefined ? (Object.keys(all).length === 0 ? [] : [all]) : (args as unknown[]);
  return (...xs) => {
    const y = fn(...(first === undefined ? [] : [first]), ...xs, ...after);
    return 'shape' in y ? y : ((y.values ?? y.counts) as Tensor);
  };
}

describe('operations against PyTorch', () => {
  it.each(cases.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const inputs = c.inputs.map(toTensor);
    await expectGolden(op(c)(...inputs), c.output);
    if (c.wrt.length === 0) return;
    const cotangent = toTensor(c.cotangent as NonNullable<typeof c.cotangent>);
    const gradients = grad((...xs: Tensor[]) => sum(mul(op(c)(...xs), cotangent)), [...c.wrt])(...inputs);
    expect(gradients.length).toBe(c.gradients?.length);
    for (const [i, g] of (c.gradients ?? []).entries()) await expectGolden(gradients[i], g);
  });
});
