import { describe, expect, it } from 'vitest';
import { Trainer } from '../../bench/compare/js-trainer.mjs';
import { compile, crossEntropy, nn, optim, type Tensor, tensor, valueAndGrad } from '../../src/index.js';
import { expectClose, expectGolden, type GoldenTensor, readGolden, TOLERANCE } from './golden.js';

interface Sample {
  readonly every: number;
  readonly values: GoldenTensor;
  readonly sum: number;
  readonly absSum: number;
}

interface Golden {
  readonly parameters: readonly { name: string; shape: number[]; salt: number; scale: number; offset: number }[];
  readonly batch: number;
  readonly steps: number;
  readonly lr: number;
  readonly inputSalt: number;
  readonly losses: GoldenTensor;
  readonly logits: GoldenTensor;
  readonly gradients: Readonly<Record<string, Sample>>;
  readonly weights: Readonly<Record<string, Sample>>;
}

const golden = readGolden<Golden>('mlp');

/** The rule of make_goldens.py: integers and exact IEEE operations only, so the bits are the same in every language. */
function formula(count: number, salt: number, scale: number, offset: number): Float32Array {
  return Float32Array.from(
    { length: count },
    (_, i) => (((i * 7919 + salt * 104729 + 13) % 1009) / 1009 - offset) * scale,
  );
}

const elements = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

function batchOf(step: number): { x: Float32Array; y: Int32Array } {
  return {
    x: formula(golden.batch * 784, golden.inputSalt + step, 1, 0),
    y: Int32Array.from({ length: golden.batch }, (_, row) => (row * 7 + step) % 10),
  };
}

function tensors(step: number): [Tensor, Tensor] {
  const { x, y } = batchOf(step);
  return [tensor(x, { shape: [golden.batch, 784] }), tensor(y)];
}

function newModel(): nn.Sequential {
  const model = new nn.Sequential(
    new nn.Linear(784, 128),
    new nn.ReLU(),
    new nn.Linear(128, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  );
  const values = golden.parameters.map((p) => [
    p.name,
    tensor(formula(elements(p.shape), p.salt, p.scale, p.offset), { shape: p.shape }),
  ]);
  model.loadStateDict(Object.fromEntries(values));
  return model;
}

function sums(values: ArrayLike<number>): [number, number] {
  let sum = 0;
  let absSum = 0;
  for (let i = 0; i < values.length; i++) {
    sum += values[i];
    absSum += Math.abs(values[i]);
  }
  return [sum, absSum];
}

function expectGradient(name: string, values: ArrayLike<number>): void {
  const { every, values: expected, sum, absSum } = golden.gradients[name];
  const largest = Array.from(values).reduce((a, v) => Math.max(a, Math.abs(v)), 0);
  const tolerance = TOLERANCE.networkGradient(largest);
  expectClose(
    Array.from(values).filter((_, i) => i % every === 0),
    expected.data,
    tolerance,
  );
  // Errors of single elements have no common direction, so the sums are as good as absSum elements of that error.
  expectClose(sums(values), [sum, absSum], { rtol: 1e-6, atol: 1e-6 * absSum });
}

function expectWeights(name: string, values: ArrayLike<number>): void {
  const { every, values: expected, sum, absSum } = golden.weights[name];
  expectClose(
    Array.from(values).filter((_, i) => i % every === 0),
    expected.data,
    TOLERANCE.float32,
  );
  expectClose(sums(values), [sum, absSum], TOLERANCE.weightSum(absSum));
}

describe('784-128-128-10, batch 16, Adam, three steps against PyTorch', () => {
  it('has the same logits and gradients at the first step', async () => {
    const model = newModel();
    const [x, y] = tensors(0);
    await expectGolden(model.forward(x), golden.logits);
    const [, gradients] = valueAndGrad(model, (a: Tensor, b: Tensor) => crossEntropy(model.forward(a), b))(x, y);
    expect(Object.keys(gradients)).toEqual(golden.parameters.map((p) => p.name));
    for (const { name } of golden.parameters) expectGradient(name, await gradients[name].data());
  });

  for (const mode of ['uncompiled', 'compiled'] as const) {
    it(`has the same losses and weights after three ${mode} steps`, async () => {
      const model = newModel();
      const optimizer = new optim.Adam({ lr: golden.lr });
      const lossAndGrad = valueAndGrad(model, (x: Tensor, y: Tensor) => crossEntropy(model.forward(x), y));
      const once = (x: Tensor, y: Tensor) => {
        const [loss, gradients] = lossAndGrad(x, y);
        optimizer.update(model, gradients);
        return loss;
      };
      const step = mode === 'compiled' ? compile(once) : once;
      const losses: number[] = [];
      for (let s = 0; s < golden.steps; s++) losses.push(await step(...tensors(s)).item());
      expectClose(losses, golden.losses.data, TOLERANCE.float32);
      const state = await model.stateDict();
      for (const { name } of golden.parameters) expectWeights(name, await state[name].data());
    });
  }
});

describe('the plain JavaScript trainer of the comparison', () => {
  it('does the same job: gradients, losses and weights equal PyTorch', () => {
    const trainer = new Trainer([784, 128, 128, 10], golden.batch, { lr: golden.lr });
    const parts = trainer.layers.flatMap((l) => [l.weight, l.bias]);
    for (const [k, p] of golden.parameters.entries())
      parts[k].w.set(formula(elements(p.shape), p.salt, p.scale, p.offset));
    const losses: number[] = [];
    for (let s = 0; s < golden.steps; s++) {
      const { x, y } = batchOf(s);
      losses.push(trainer.lossAndGradients(x, y));
      if (s === 0) for (const [k, { name }] of golden.parameters.entries()) expectGradient(name, parts[k].g);
      trainer.update();
    }
    expectClose(losses, golden.losses.data, TOLERANCE.float32);
    for (const [k, { name }] of golden.parameters.entries()) expectWeights(name, parts[k].w);
  });
});
