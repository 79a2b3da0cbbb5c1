import { compile, crossEntropy, fit, nn, optim, type Tensor, tensor, valueAndGrad } from 'neurite';
import { mnist, readIdx } from 'neurite/datasets';

const model = new nn.Sequential(new nn.Linear(2, 16), new nn.Tanh(), new nn.Linear(16, 2));
const optimizer = new optim.Adam({ lr: 0.05 });
const lossAndGrad = valueAndGrad(model, (x: Tensor, y: Tensor) => crossEntropy(model.forward(x), y));
const step = compile((x: Tensor, y: Tensor): Tensor => {
  const [loss, grads] = lossAndGrad(x, y);
  optimizer.update(model, grads);
  return loss;
});
const loss: Promise<number> = step(tensor([[0, 1]]), tensor([1], { dtype: 'int32' })).item();
// @ts-expect-error a learning rate is a number: were the types missing, this would be no error
new optim.Adam({ lr: 'fast' });

export { fit, loss, mnist, readIdx };
