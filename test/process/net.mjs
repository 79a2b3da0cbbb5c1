// A 2-16-1 network on XOR, shared by the process tests. Imports the built package, as users do.
import { binaryCrossEntropy, compile, nn, optim, seed, tensor, valueAndGrad } from '../../dist/index.js';

export function xor({ s = 1 } = {}) {
  seed(s);
  const model = new nn.Sequential(new nn.Linear(2, 16), new nn.Tanh(), new nn.Linear(16, 1));
  const optimizer = new optim.Adam({ lr: 0.01 });
  const x = tensor([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
  const y = tensor([[0], [1], [1], [0]]);
  const lossAndGrad = valueAndGrad(model, (a, b) => binaryCrossEntropy(model.forward(a), b));
  const eager = () => {
    const [loss, grads] = lossAndGrad(x, y);
    optimizer.update(model, grads);
    return loss;
  };
  const compiled = compile((a, b) => {
    const [loss, grads] = lossAndGrad(a, b);
    optimizer.update(model, grads);
    return loss;
  });
  return { model, optimizer, x, y, eager, compiled };
}
