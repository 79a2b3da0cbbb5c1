import { beforeEach, describe, expect, it, vi } from 'vitest';
import { DataError, State, seed, type Tensor, tensor } from '../../src/core.js';
import { TensorDataset } from '../../src/data/index.js';
import * as nn from '../../src/nn/index.js';
import * as optim from '../../src/optim/index.js';
import { Pace } from '../../src/train/chunks.js';
import { evaluate, type FitOptions, fit, predict } from '../../src/train/index.js';
import { blobs, network, Trap, weights } from './helpers.js';

const OPTIONS: FitOptions = { loss: 'crossEntropy', optimizer: 'sgd', epochs: 2, batchSize: 4, shuffle: false };

beforeEach(() => {
  vi.restoreAllMocks();
  seed(1);
});

/** What a promise was rejected with. */
async function failure(promise: PromiseLike<unknown>): Promise<DataError> {
  const error = await Promise.resolve(promise).then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(DataError);
  return error as DataError;
}

/** blobs, with sample 13 changed. */
async function spoiled(change: { x?: number[]; y?: number }): Promise<TensorDataset> {
  const data = blobs(30);
  const x = (await data.x.data()).slice();
  const y = (await data.y.data()).slice();
  if (change.x !== undefined) x.set(change.x, 26);
  if (change.y !== undefined) y[13] = change.y;
  return new TensorDataset({ data: x, shape: [30, 2] }, y);
}

describe.each([1, 3, 1000])('with %i steps a call', (k) => {
  beforeEach(() => {
    vi.spyOn(Pace.prototype, 'next').mockReturnValue(k);
  });

  it('a label out of range names sample, epoch and step', async () => {
    const model = network();
    const error = await failure(fit(model, await spoiled({ y: 3 }), OPTIONS));
    expect(error.message).toMatch(/^fit: label 3 of sample 13 is out of range at epoch 1, step 4 /);
    const shuffled = await failure(fit(network(), await spoiled({ y: -1 }), { ...OPTIONS, shuffle: true }));
    expect(shuffled.message).toMatch(/label -1 of sample 13 is out of range at epoch 1, step \d/);
  });

  it('NaN in the data is named, and parameters are as before that step', async () => {
    const model = network();
    const error = await failure(fit(model, await spoiled({ x: [1, Number.NaN] }), OPTIONS));
    expect(error.message).toMatch(
      /the loss is NaN at epoch 1, step 4: x of sample 13 has NaN at element 1; clean the data/,
    );
    seed(1);
    const reference = network();
    // Steps 1 to 3 ran: samples 0 to 11.
    await fit(reference, blobs(30).subset(Array.from({ length: 12 }, (_, i) => i)), { ...OPTIONS, epochs: 1 });
    expect(await weights(model)).toEqual(await weights(reference));
  });

  it('the layer is named that gives the first value that is not finite', async () => {
    const model = new nn.Sequential(
      new nn.Linear(2, 2),
      new Trap(Number.POSITIVE_INFINITY),
      new nn.ReLU(),
      new nn.Linear(2, 3),
    );
    for (const p of model.parameters().slice(0, 2))
      p.assign(
        tensor(
          p.shape.length === 2
            ? [
                [1, 0],
                [0, 1],
              ]
            : [0, 0],
        ),
      );
    const error = await failure(
      fit(model, await spoiled({ x: [500, 0] }), { ...OPTIONS, optimizer: new optim.SGD({ lr: 1e-6 }) }),
    );
    expect(error.message).toMatch(
      /the loss is (NaN|infinite) at epoch 1, step 4: .* come out of Trap "1" \(where, \[4,2\]\)/,
    );
  });
});

it('divergence is named, with a hint', async () => {
  const y = blobs(30).x;
  const options: FitOptions = { ...OPTIONS, loss: 'mse', optimizer: new optim.SGD({ lr: 1e4 }), epochs: 200 };
  const model = new nn.Sequential(new nn.Linear(2, 4), new nn.Linear(4, 2));
  const error = await failure(fit(model, { x: y, y }, options));
  expect(error.message).toMatch(/^fit: the loss is (NaN|infinite) at epoch \d+, step \d+: .*a smaller learning rate/);
});

it('targets that are not finite are named', async () => {
  const y = [[0], [1], [Number.POSITIVE_INFINITY], [0]];
  const error = await failure(fit(new nn.Linear(1, 1), { x: [[1], [2], [3], [4]], y }, { ...OPTIONS, loss: 'mse' }));
  expect(error.message).toMatch(/y of sample 2 has Infinity at element 0/);
});

it('class numbers that are not whole are named', async () => {
  const error = await failure(
    fit(
      network(),
      {
        x: [
          [1, 2],
          [3, 4],
        ],
        y: [0, 1.5],
      },
      { ...OPTIONS, batchSize: 2 },
    ),
  );
  expect(error.message).toBe('fit: crossEntropy takes whole class numbers, y of sample 1 is 1.5');
});

it('an error reaches the reader of events after the events before it', async () => {
  vi.spyOn(Pace.prototype, 'next').mockReturnValue(1);
  const types: string[] = [];
  const error = await failure(
    (async () => {
      for await (const event of fit(network(), await spoiled({ y: 9 }), OPTIONS)) types.push(event.type);
    })(),
  );
  expect(error.message).toMatch(/label 9 of sample 13/);
  expect(types).toEqual(['start', 'progress', 'progress', 'progress']);
});

it('a bad label in validation or evaluation is named too, and the model can be used afterwards', async () => {
  const model = network();
  const bad = await spoiled({ y: 5 });
  const inValidation = await failure(fit(model, blobs(30), { ...OPTIONS, validation: bad }));
  expect(inValidation.message).toMatch(/^fit: validation: label 5 of sample 13 is out of range/);
  const inEvaluation = await failure(evaluate(model, bad, { loss: 'crossEntropy' }));
  expect(inEvaluation.message).toMatch(/^evaluate: label 5 of sample 13 is out of range/);
  expect((await fit(model, blobs(30), OPTIONS)).stopped).toBe('done');
  expect((await predict(model, blobs(3))).shape).toEqual([3, 3]);
});

it('running statistics do not see the bad batch, neither in its step nor in the search for the cause', async () => {
  class Counter extends nn.Module {
    seen = new State(tensor(0));
    forward(x: Tensor): Tensor {
      if (this.training) this.seen.assign(this.seen.read().add(1));
      return x;
    }
  }
  const counter = new Counter();
  await failure(fit(new nn.Sequential(counter, new nn.Linear(2, 3)), await spoiled({ x: [Number.NaN, 0] }), OPTIONS));
  expect(await counter.seen.read().item()).toBe(3);
  const trap = new Trap(Number.POSITIVE_INFINITY);
  const model = new nn.Sequential(counter, trap, new nn.Linear(2, 3));
  await failure(fit(model, await spoiled({ x: [500, 0] }), OPTIONS));
  expect(await counter.seen.read().item()).toBe(6);
});
