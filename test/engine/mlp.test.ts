import { afterEach, expect, it, vi } from 'vitest';
import {
  crossEntropy,
  fit,
  flush,
  nn,
  optim,
  realize,
  seed,
  type Tensor,
  uniform,
  valueAndGrad,
} from '../../src/index.js';
import { native } from '../../src/runtime/native.js';
import { Pace } from '../../src/train/chunks.js';

const mlp = () =>
  new nn.Sequential(
    new nn.Linear(784, 128),
    new nn.ReLU(),
    new nn.Linear(128, 128),
    new nn.ReLU(),
    new nn.Linear(128, 10),
  );
const labels = (n: number) => Int32Array.from({ length: n }, (_, i) => i % 10);

function spyOnRuns() {
  const run = vi.spyOn(native, 'run');
  const enqueue = vi.spyOn(native, 'enqueue');
  return () => run.mock.calls.length + enqueue.mock.calls.length;
}

afterEach(() => vi.restoreAllMocks());

it('a training step of the MNIST network, forward, gradient and Adam, is one native call', async () => {
  seed(1);
  const model = mlp();
  const optimizer = new optim.Adam({ lr: 1e-3 });
  const x = uniform([128, 784]);
  const y = uniform([128], { low: 0, high: 10 }).cast('int32');
  const lossAndGrad = valueAndGrad(model, (a: Tensor, b: Tensor) => crossEntropy(model.forward(a), b));
  const step = () => {
    const [loss, grads] = lossAndGrad(x, y);
    optimizer.update(model, grads);
    return loss;
  };
  await realize(x, y);
  await step().item(); // makes the optimizer's slots
  await flush();
  const count = spyOnRuns();
  const loss = step();
  expect(await loss.item()).toBeGreaterThan(0);
  await optimizer.step(model, lossAndGrad(x, y)[1]);
  expect(step().itemSync()).toBeLessThan(await loss.item());
  expect(count()).toBe(3);
});

it('fit runs many steps in one native call', async () => {
  const samples = 2560;
  const x = { data: await uniform([samples, 784]).data(), shape: [samples, 784] };
  const model = mlp();
  const optimizer = new optim.Adam({ lr: 1e-3 });
  const options = { loss: 'crossEntropy', optimizer, batchSize: 128 } as const;
  vi.spyOn(Pace.prototype, 'next').mockReturnValue(5); // steps a call, otherwise about 50 ms of work
  const count = spyOnRuns();
  const history = await fit(model, { x, y: labels(samples) }, { ...options, epochs: 5 });
  expect(history.steps).toBe(100);
  expect(count()).toBeLessThan(40); // 20, and the shuffles
});
