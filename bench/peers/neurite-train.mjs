// Peer of bench/train.mjs: Neurite.   node neurite-train.mjs NET THREADS   The compiled step under `scan`, as `fit` runs it.
import { compile, configure, crossEntropy, flushSync, info, mse, nn, optim, seed, tensor, valueAndGrad } from 'neurite';
import { batches } from '../compare/mnist.mjs';
import { serve } from '../compare/peer.mjs';
import { dataOf, netOf } from '../nets.mjs';

const net = netOf(process.argv[2]);
const { sizes, batch, rows } = net;
configure({ threads: Number(process.argv[3]) });
seed(1);
const { x, y } = dataOf(net);
const inputs = tensor(x, { shape: [rows, ...(net.image ?? [sizes[0]])] });
const targets = net.loss === 'mse' ? tensor(y, { shape: [rows, sizes.at(-1)] }) : tensor(y, { dtype: 'int32' });
const dense = (widths) => {
  const layers = widths.slice(1).flatMap((n, i) => [new nn.Linear(widths[i], n), new nn.ReLU()]);
  return layers.slice(0, -1);
};
const conv = (from, to) => [new nn.Conv2d(from, to, 3, { padding: 1 }), new nn.ReLU(), new nn.MaxPool2d(2)];
const BUILD = {
  cnn: () => new nn.Sequential(...conv(1, 32), ...conv(32, 64), new nn.Flatten(), ...dense(sizes)),
  lenet5: () => new nn.LeNet5(),
  resnet20: () => new nn.ResNet({ depth: 20 }),
};
const model = BUILD[net.id]?.() ?? new nn.Sequential(...dense(sizes));
const optimizer =
  net.optimizer === 'momentum' ? new optim.SGD({ lr: 1e-3, momentum: 0.9 }) : new optim.Adam({ lr: 1e-3 });
const lossOf = net.loss === 'mse' ? mse : crossEntropy;
const lossAndGrad = valueAndGrad(model, (xb, yb) => lossOf(model.forward(xb), yb));
const step = compile((xb, yb) => {
  const [loss, grads] = lossAndGrad(xb, yb);
  optimizer.update(model, grads);
  return loss;
});
const next = batches(rows, batch);
// About 50 ms a native call, and not so many steps that one call outgrows the round.
const chunk = sizes.reduce((a, b) => a + b, 0) < 300 ? 1024 : 64;
flushSync();

await serve({ batch, version: `Neurite ${info().version}, ${info().isa}`, isa: info().isa }, async (steps) => {
  let losses;
  for (let done = 0; done < steps; ) {
    const n = Math.min(chunk, steps - done);
    const indices = new Int32Array(n * batch);
    for (let s = 0; s < n; s++) indices.set(next(), s * batch);
    losses = step.scan({ data: [inputs, targets], indices, batch });
    done += n;
  }
  return (await losses.data()).at(-1);
});
