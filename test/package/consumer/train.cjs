// Trains a small classifier with what `require` gives; every other way of loading ends here, so that all are asked the same.
module.exports = function train(neurite, steps = 200) {
  const { compile, crossEntropy, nn, optim, seed, tensor, valueAndGrad } = neurite;
  seed(3);
  const model = new nn.Sequential(new nn.Linear(2, 16), new nn.Tanh(), new nn.Linear(16, 2));
  const optimizer = new optim.Adam({ lr: 0.05 });
  const lossAndGrad = valueAndGrad(model, (x, y) => crossEntropy(model.forward(x), y));
  const step = compile((x, y) => {
    const [loss, grads] = lossAndGrad(x, y);
    optimizer.update(model, grads);
    return loss;
  });
  const x = tensor([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
  const y = tensor([0, 1, 1, 0], { dtype: 'int32' });
  const first = step(x, y).itemSync();
  let loss;
  for (let i = 0; i < steps; i++) loss = step(x, y);
  const last = loss.itemSync();
  // Exclusive or from a loss near log 2 = 0.69; 200 steps of Adam at 0.05 learn it with any instruction set.
  if (!(first > 0.3 && last < 0.1)) throw new Error(`training went from ${first} to ${last}`);
  return last;
};
