import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configure, evaluate, fit, info, metrics, plot, predict, seed as setSeed } from 'neurite';
import { mnist } from 'neurite/datasets';
import { readCommandLine, USAGE, UsageError } from './mnist/args.mjs';
import { createModel, createOptimizer, loadModel } from './mnist/model.mjs';
import { confusionTable, drawImage, probabilityTable } from './mnist/report.mjs';

const FIGURES = { loss: 'crossEntropy', metrics: ['accuracy'] };

async function train(options) {
  const say = options.json ? () => {} : (text) => console.log(text);
  if (options.threads !== undefined) configure({ threads: options.threads });
  setSeed(options.seed);
  await mkdir(options.out, { recursive: true }); // now, not after the training
  const data = await mnist(options.data === undefined ? {} : { dir: options.data });
  const inputs = data.train.x.shape[1];
  const model = createModel(inputs, options.hidden, data.classes);
  say(`${data.train.length} training and ${data.test.length} test images from ${data.dir}`);
  say(`${model.summary([1, inputs])}\n`);

  const stop = stopOnInterrupt();
  const history = await fit(model, data.train, {
    ...FIGURES,
    optimizer: createOptimizer(options.optimizer, options.lr),
    epochs: options.epochs,
    batchSize: options.batch,
    validation: data.test,
    signal: stop.signal,
    progress: !options.json,
  });

  const test = await evaluate(model, data.test, FIGURES);
  const { threads, isa } = info();
  const result = {
    testAccuracy: test.accuracy,
    testLoss: test.loss,
    epochs: history.epochs.length,
    samplesPerSecond: history.samplesPerSecond,
    seconds: history.seconds,
    trainSamples: data.train.length,
    testSamples: data.test.length,
    threads,
    isa,
    peakRssBytes: process.resourceUsage().maxRSS * 1024,
    stopped: history.stopped,
  };
  await save(options, model, history, result);
  say(`\ntest loss ${test.loss.toFixed(4)}, test accuracy ${(100 * test.accuracy).toFixed(2)} %`);
  say(`${Math.round(history.samplesPerSecond)} samples/s with ${threads} threads (${isa})\n`);
  if (!options.json) say(confusionTable(await confusion(model, data)));
  say(`\nsaved model.safetensors, history.json and learning-curve.svg in ${options.out}`);
  if (options.json) console.log(JSON.stringify(result));
  if (history.stopped === 'aborted') process.exitCode = 130; // as a shell expects after Ctrl-C
}

async function save(options, model, history, result) {
  const { out, epochs, batch, hidden, lr, optimizer, seed } = options;
  const settings = { epochs, batch, hidden, lr, optimizer, seed };
  await model.save(join(out, 'model.safetensors'));
  await writeFile(join(out, 'history.json'), `${JSON.stringify({ settings, result, ...history }, null, 2)}\n`);
  // A run that was stopped in its first epoch has no curve.
  if (history.epochs.length > 0) await writeFile(join(out, 'learning-curve.svg'), plot.learningCurve(history));
}

async function confusion(model, { test, classes }) {
  const predicted = (await predict(model, test)).argmax({ axis: -1 });
  return metrics.confusionMatrix(await test.y.data(), await predicted.data(), { classes });
}

/** The first Ctrl-C ends the training, which is then saved; the second ends the process. */
function stopOnInterrupt() {
  const controller = new AbortController();
  process.on('SIGINT', () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
    console.error('\nstopping after the steps in flight; Ctrl-C again exits at once without saving');
  });
  return controller;
}

async function classify(options) {
  if (options.model === undefined) throw new UsageError('predict needs --model FILE');
  const model = await loadModel(options.model);
  const { test, imageShape } = await mnist(options.data === undefined ? {} : { dir: options.data });
  if (options.index >= test.length) {
    throw new UsageError(`--index is ${options.index}, expected less than ${test.length}, the number of test images`);
  }
  const image = test.subset([options.index]);
  const probabilities = (await predict(model, image)).softmax();
  const { value: batch } = await image.batches().next();
  const [pixels, [label]] = await Promise.all(batch.map((t) => t.data()));
  console.log(`${drawImage(pixels, imageShape.at(-1))}\n`);
  console.log(probabilityTable(await probabilities.data()));
  console.log(`\ntest image ${options.index} is labelled ${label}`);
}

try {
  const { command, options } = readCommandLine(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else if (command === 'predict') await classify(options);
  else await train(options);
} catch (error) {
  const debug = process.env.NEURITE_DEBUG !== undefined && process.env.NEURITE_DEBUG !== '';
  console.error(debug ? error : `error: ${error instanceof Error ? error.message : error}`);
  if (error instanceof UsageError) console.error('node examples/mnist.mjs --help lists the options');
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
