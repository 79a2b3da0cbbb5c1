import { data, evaluate, fit, nn, optim, seed as setSeed } from 'neurite';

/** Both problems, with the noise they have unless it is what changes. */
export const DATA = {
  moons: { noise: 0.2, of: (noise, seed) => data.moons(300, { noise, seed }) },
  circles: { noise: 0.1, of: (noise, seed) => data.circles(300, { noise, seed, factor: 0.5 }) },
};

const MAKE = {
  SGD: (o) => new optim.SGD(o),
  momentum: ({ momentum = 0.9, ...o }) => new optim.SGD({ ...o, momentum }),
  Nesterov: ({ momentum = 0.9, ...o }) => new optim.SGD({ ...o, momentum, nesterov: true }),
  Adagrad: (o) => new optim.Adagrad(o),
  Adadelta: (o) => new optim.Adadelta(o),
  RMSprop: (o) => new optim.RMSprop(o),
  Adam: (o) => new optim.Adam(o),
  AMSGrad: (o) => new optim.Adam({ ...o, amsgrad: true }),
  AdamW: (o) => new optim.AdamW(o),
  Adamax: (o) => new optim.Adamax(o),
  NAdam: (o) => new optim.NAdam(o),
  RAdam: (o) => new optim.RAdam(o),
  Lion: (o) => new optim.Lion(o),
  LAMB: (o) => new optim.LAMB(o),
  Adafactor: (o) => new optim.Adafactor(o),
};
export const OPTIMIZERS = Object.keys(MAKE);
export const LRS = [0.001, 0.01, 0.05, 0.1];
const BATCHES = [1, 16, 32, 128, 'full'];
const MOMENTA = [0.5, 0.9, 0.99];
const WIDTHS = [
  [32, 16],
  [64, 32],
  [128, 64, 32],
];
const PENALTIES = [
  [0, 0],
  [0.2, 0],
  [0, 1e-3],
  [0.2, 1e-3],
];
const NOISES = [0, 0.1, 0.2, 0.4];

/** What is trained: each run says what is studied and how it differs. */
export function studies({ epochs, seed, full, quick }) {
  const base = { optimizer: 'Adam', lr: 0.01, batch: 32, widths: WIDTHS[0], dropout: 0, l2: 0, epochs, seed };
  const some = (list) => (quick ? list.slice(0, 2) : list);
  return Object.entries(DATA).flatMap(([name, { noise }]) => {
    const run = (study, label, change) => ({ ...base, data: name, noise, study, label: String(label), ...change });
    const grid = (quick ? ['SGD', 'Adam'] : OPTIMIZERS).flatMap((optimizer) =>
      some(LRS).flatMap((lr) => {
        const batches = full ? BATCHES : [base.batch];
        return batches.map((batch) => ({ optimizer, lr, batch }));
      }),
    );
    return [
      ...grid.map((c) =>
        run(
          c.batch === base.batch ? 'optimizer and learning rate' : 'all',
          `${c.optimizer}, ${c.lr}, batch ${c.batch}`,
          c,
        ),
      ),
      ...some(BATCHES.slice(quick ? 1 : 0)).map((batch) => run('batch size', batch, { batch })),
      ...some(MOMENTA).map((momentum) => run('momentum', momentum, { optimizer: 'momentum', momentum })),
      ...some(WIDTHS).map((widths) => run('width', widths.join('-'), { widths })),
      ...some(PENALTIES).map(([dropout, l2]) => run('dropout and L2', `${dropout}, ${l2}`, { dropout, l2 })),
      ...some(NOISES).map((level) => run('noise', level, { noise: level })),
    ];
  });
}

function network(widths, dropout) {
  const layers = [2, ...widths]
    .slice(0, -1)
    .flatMap((inputs, i) => [
      new nn.Linear(inputs, widths[i]),
      new nn.ReLU(),
      ...(dropout > 0 ? [new nn.Dropout(dropout)] : []),
    ]);
  return new nn.Sequential(...layers, new nn.Linear(widths.at(-1), 2));
}

/** Trains one network; the same seed gives every run the same data, first weights and order. */
export async function train(run) {
  const { data: name, noise, seed, optimizer, lr, momentum, batch, widths, dropout, l2, epochs } = run;
  setSeed(seed);
  const { train: part, test } = data.trainDevTest(DATA[name].of(noise, seed), { test: 0.3, seed });
  const model = network(widths, dropout);
  const options = { lr, weightDecay: l2, ...(momentum === undefined ? {} : { momentum }) };
  const figures = { loss: 'crossEntropy', metrics: ['accuracy'] };
  let losses = [];
  try {
    const history = await fit(model, part, {
      ...figures,
      optimizer: MAKE[optimizer](options),
      epochs,
      batchSize: batch === 'full' ? part.length : Math.min(batch, part.length),
      progress: false,
    });
    losses = history.epochs.map((e) => e.loss);
  } catch (error) {
    if (error.code !== 'ERR_DATA') throw error; // a loss that is not finite: this rate is too high, which is a result
  }
  const [onTrain, onTest] = [await evaluate(model, part, figures), await evaluate(model, test, figures)];
  return {
    ...run,
    model,
    losses,
    diverged: losses.length === 0,
    loss: losses.length === 0 ? Number.POSITIVE_INFINITY : onTrain.loss,
    trainAccuracy: onTrain.accuracy,
    testLoss: onTest.loss,
    accuracy: onTest.accuracy,
  };
}
