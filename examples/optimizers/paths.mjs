import { compile, optim, Parameter, plot, tensor, valueAndGrad } from 'neurite';

const SURFACES = [
  {
    title: 'the bowl x² + 4y²',
    at: (x, y) => x * x + 4 * y * y,
    loss: (x, y) => x.square().add(y.square().mul(4)).sum(),
    start: [-2.5, 1.6],
    ranges: { xRange: [-3, 3], yRange: [-2, 2] },
    minimum: [0, 0],
    optimizers: {
      SGD: () => new optim.SGD({ lr: 0.05 }),
      momentum: () => new optim.SGD({ lr: 0.05, momentum: 0.8 }),
      Nesterov: () => new optim.SGD({ lr: 0.05, momentum: 0.8, nesterov: true }),
      Adam: () => new optim.Adam({ lr: 0.2 }),
    },
  },
  {
    title: "Rosenbrock's valley",
    at: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    loss: (x, y) => x.sub(1).square().add(y.sub(x.square()).square().mul(100)).sum(),
    start: [-1.2, 1],
    ranges: { xRange: [-1.6, 1.6], yRange: [-0.6, 1.8], zScale: 'log' },
    minimum: [1, 1],
    optimizers: {
      SGD: () => new optim.SGD({ lr: 1e-3 }),
      momentum: () => new optim.SGD({ lr: 1e-3, momentum: 0.9 }),
      RMSprop: () => new optim.RMSprop({ lr: 0.02 }),
      Adam: () => new optim.Adam({ lr: 0.1 }),
    },
  },
];

/** Where an optimizer goes in this many steps. */
async function walk({ loss, start }, optimizer, steps) {
  const [x, y] = start.map((v, i) => new Parameter(tensor(Float64Array.of(v)), 'xy'[i]));
  const model = { trainableCells: () => new Map([x, y].map((cell) => [cell.name, cell])) };
  const lossAndGrad = valueAndGrad(model, () => loss(x.read(), y.read()));
  const step = compile(() => {
    const [value, grads] = lossAndGrad();
    optimizer.update(model, grads);
    return value;
  });
  const path = [start];
  for (let i = 0; i < steps; i++) {
    await step().item();
    path.push([(await x.read().data())[0], (await y.read().data())[0]]);
  }
  return path;
}

/** Pictures of the two surfaces with the ways of some optimizers, and of L-BFGS. */
export async function paths(steps) {
  const pictures = [];
  for (const surface of SURFACES) {
    const ways = {};
    for (const [name, make] of Object.entries(surface.optimizers)) ways[name] = await walk(surface, make(), steps);
    const lbfgs = [surface.start];
    await optim.minimize(
      ([x, y]) => surface.loss(x, y),
      surface.start.map((v) => tensor(Float64Array.of(v))),
      { onStep: ({ x }) => void lbfgs.push([...x]) },
    );
    ways['L-BFGS'] = lbfgs;
    const { title, ranges, minimum, at } = surface;
    pictures.push(plot.lossSurface(at, { ...ranges, title, minimum, paths: ways }));
  }
  return pictures;
}
