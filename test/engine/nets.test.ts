import { afterAll, describe, expect, it } from 'vitest';
import { NETS, type Net } from '../../bench/nets.mjs';
import {
  compile,
  configure,
  crossEntropy,
  info,
  mse,
  nn,
  optim,
  seed,
  type Tensor,
  tensor,
  valueAndGrad,
} from '../../src/index.js';

const before = info().threads;
afterAll(() => configure({ threads: before }));

/** Losses and parameters after a few steps of training in a scan. */
function trained({ sizes, batch, loss }: Net, steps: number, threads: number): Uint8Array[] {
  configure({ threads });
  seed(5);
  const rows = 2 * batch + 1;
  const outputs = sizes[sizes.length - 1];
  const wave = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * i));
  const x = tensor(wave(rows * sizes[0]), { shape: [rows, sizes[0]] });
  const y =
    loss === 'mse'
      ? tensor(wave(rows * outputs), { shape: [rows, outputs] })
      : tensor(
          Int32Array.from({ length: rows }, (_, i) => (7 * i) % outputs),
          { dtype: 'int32' },
        );
  const layers = sizes.slice(1).flatMap((n, i) => [new nn.Linear(sizes[i], n), new nn.ReLU()]);
  const model = new nn.Sequential(...layers.slice(0, -1));
  const optimizer = new optim.Adam({ lr: 1e-3 });
  const lossOf = loss === 'mse' ? mse : crossEntropy;
  const lossAndGrad = valueAndGrad(model, (a: Tensor, b: Tensor) => lossOf(model.forward(a), b));
  const step = compile((a: Tensor, b: Tensor) => {
    const [value, grads] = lossAndGrad(a, b);
    optimizer.update(model, grads);
    return value;
  });
  const indices = Int32Array.from({ length: steps * batch }, (_, i) => (i * 5) % rows);
  const losses = step.scan({ data: [x, y], indices, batch });
  return [losses, ...model.parameters().map((p) => p.read())].map((t) => new Uint8Array(t.dataSync().buffer));
}

describe('the networks of the benchmarks train to the same bits on any number of threads', () => {
  it.each(NETS)('$id', { timeout: 120_000 }, (net) => {
    const steps = net.id === 'large' ? 1 : 3;
    const first = trained(net, steps, 1);
    for (const threads of [2, 3, 5, 8]) {
      const again = trained(net, steps, threads);
      const differ = first.flatMap((bytes, i) => (Buffer.compare(bytes, again[i]) === 0 ? [] : [i]));
      expect(differ, `${threads} threads`).toEqual([]);
    }
  });
});
