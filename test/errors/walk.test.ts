import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as datasets from '../../src/datasets/index.js';
import * as neurite from '../../src/index.js';
import * as kernels from '../../src/kernels/index.js';
import { checkOptions } from '../../src/options.js';

/*
 * Every public function and class is called with nothing, with what is none of its arguments, and with such a thing behind
 * good ones. Whatever comes back, an error must be one of Neurite's: a TypeError of V8 names no function, no argument and no
 * remedy. A new export is walked by itself.
 */

const { nn, NeuriteError, tensor } = neurite;
type Call = (...args: unknown[]) => unknown;

const t = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
const labels = tensor([1, 0], { dtype: 'int32' });
const model = () => new nn.Sequential(new nn.Linear(3, 2));

const train = (options: Partial<neurite.FitOptions>) =>
  neurite.fit(model(), { x: t, y: labels }, { loss: 'crossEntropy', optimizer: 'sgd', ...options });

/** No argument of anything, or hardly. The text is no path either, so that nothing is written. */
const BAD: readonly unknown[] = [
  undefined,
  null,
  Number.NaN,
  -1,
  0.5,
  '\0',
  true,
  {},
  [],
  [null],
  { unknownOption: 1 },
  () => undefined,
  tensor(1),
  tensor([[[1]]]),
];
/** What stands before a bad argument. */
const GOOD: readonly (readonly unknown[])[] = [
  [t],
  [3],
  [(x: unknown) => (x instanceof neurite.Tensor ? x.sum() : t.sum())],
  [[2, 3]],
  [model()],
  [t, labels],
  [3, 3],
  [model(), t],
];

/** Exports that may fail in their own way, or do something: with the reason. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  Tensor: 'made by operations, millions of times a second',
  Run: 'made by fit',
  Prediction: 'made by predict',
  'augment.Studio': 'made by Augmentation.open, with what it has checked',
  optimizerStep: 'typed by rule; the rules check their operands, names are not looked at again',
  ruleSlots: 'as optimizerStep',
  ruleSlotShape: 'as optimizerStep',
  didYouMean: 'a helper for messages, called where an error is on its way',
  'datasets.mnist': 'reads 70,000 pictures when it gets nothing',
  itemSize: 'a table',
  isFloat: 'a comparison',
};

/** Errors other than Neurite's own that the documentation promises. */
const PROMISED = /memoryLimit|memory limit/;

function judge(name: string, args: readonly unknown[], error: unknown, found: Map<string, string>): void {
  if (error instanceof NeuriteError || (error instanceof RangeError && PROMISED.test(error.message))) return;
  if (found.has(name)) return;
  const text = args.map((a) => (typeof a === 'function' ? 'function' : show(a))).join(', ');
  found.set(name, `(${text}): ${String(error)}`);
}

function show(value: unknown): string {
  if (value instanceof neurite.Tensor) return `tensor [${value.shape}]`;
  return typeof value === 'object' && value !== null ? (value.constructor?.name ?? 'object') : JSON.stringify(value);
}

/** Calls `call` in all ways; promises are awaited together. */
async function walk(name: string, call: Call, found: Map<string, string>, before = GOOD.length): Promise<void> {
  const waiting: Promise<unknown>[] = [];
  const attempt = (args: readonly unknown[]) => {
    try {
      const result = call(...args) as { then?: unknown } | undefined;
      if (typeof result === 'object' && result !== null && typeof result.then === 'function') {
        waiting.push((result as Promise<unknown>).then(undefined, (error) => judge(name, args, error, found)));
      }
    } catch (error) {
      judge(name, args, error, found);
    }
  };
  attempt([]);
  for (const bad of BAD) attempt([bad]);
  for (const good of GOOD.slice(0, before)) for (const bad of BAD) attempt([...good, bad]);
  await Promise.all(waiting);
}

function isClass(f: unknown): f is new (...args: unknown[]) => unknown {
  return typeof f === 'function' && /^class\b/.test(Function.prototype.toString.call(f));
}

/** Every function and class below a module, by path. */
function* callables(prefix: string, exports: object): Generator<[string, Call]> {
  for (const [key, value] of Object.entries(exports)) {
    const name = `${prefix}${key}`;
    if (name in LEFT_OUT) continue;
    if (value?.[Symbol.toStringTag] === 'Module') yield* callables(`${name}.`, value);
    else if (isClass(value)) {
      if (!(value.prototype instanceof Error)) yield [`new ${name}`, (...args) => new value(...args)];
    } else if (typeof value === 'function') yield [name, value as Call];
  }
}

const EXPORTS = [...callables('', neurite), ...callables('kernels.', kernels), ...callables('datasets.', datasets)];

/** What users hold and call, beside what classes inherit from each other. */
const INSTANCES = (): readonly object[] => {
  const { data, distributions, metrics, optim, preprocess } = neurite;
  return [
    t,
    model(),
    new nn.Conv2d(3, 4, 3),
    new nn.BatchNorm1d(3),
    new nn.ReflectionPad2d(1),
    new data.TensorDataset(t, labels),
    data.Pipeline.from([1, 2, 3]),
    new optim.Adam(),
    new optim.EMA(model()),
    new preprocess.StandardScaler(),
    new preprocess.LabelEncoder(),
    new preprocess.OneHotEncoder(),
    new preprocess.BagOfWords(),
    new preprocess.TableEncoder(),
    new distributions.Normal(0, 1),
    new distributions.Categorical({ logits: t }),
    new metrics.RunningMetric(metrics.accuracy()),
    new neurite.Parameter(t),
    new neurite.Draws('walk', 1),
    neurite.computationGraph(t.mul(2)),
  ];
};

/** Steps of a method of the same object, and what the engine calls. */
const INNER =
  /^(apply|checkValues|checkWidth|codes|expectedLog|invert|keep|learn|mapValues|measure|normalize|read|restore|rule|setConstant|settle|scoped)$/;

function* methods(made: object): Generator<[string, Call]> {
  const seen = new Set<string>(['constructor']);
  for (let p = Object.getPrototypeOf(made); p !== null && p !== Object.prototype; p = Object.getPrototypeOf(p)) {
    for (const name of Object.getOwnPropertyNames(p)) {
      if (seen.has(name) || INNER.test(name)) continue;
      seen.add(name);
      const { value } = Object.getOwnPropertyDescriptor(p, name) as PropertyDescriptor;
      if (typeof value !== 'function') continue;
      yield [`${made.constructor.name}.${name}`, (...args) => value.apply(made, args)];
    }
  }
}

/** Nonsense that is no raw error but was accepted, or failed later or elsewhere: what is called, and what the message says. */
const NONSENSE: readonly (readonly [call: () => unknown, says: string])[] = [
  [() => neurite.compile(3 as never), 'compile: fn is 3, expected a function'],
  [() => neurite.grad(undefined as never)(), 'grad: fn is undefined, expected a function'],
  [() => neurite.grad((x: neurite.Tensor) => x.sum(), 'x' as never), 'grad: argnums is "x"'],
  [
    () => new neurite.callbacks.Checkpoint(undefined as never),
    'Checkpoint: got undefined, expected an object of options',
  ],
  [() => neurite.realizeSync(3 as never), 'realizeSync: got 3, expected tensors'],
  [() => neurite.full([2], t as never), 'full: value is a Tensor, expected a number'],
  [() => neurite.zeros([2], { dtype: 'float16' as never }), 'dtype is "float16", expected float32, float64, int32'],
  [
    () => tensor([1], { shpae: [1] } as never),
    'tensor: unknown option "shpae", expected shape, dtype. Did you mean "shape"?',
  ],
  [() => neurite.sum(t, [] as never), 'sum: got [], expected an object of options: axis, keepDims'],
  [() => neurite.sum(t, t as never), 'sum: got a Tensor, expected an object of options: axis, keepDims'],
  [() => neurite.sum(t, { keepDims: 'no' as never }), 'sum: keepDims is "no", expected true or false'],
  [() => neurite.topK(t, null as never), 'topK: k is null'],
  [() => neurite.dropout(t, '0.5' as never), 'dropout: got p = "0.5"'],
  [() => new nn.Dropout(null as never), 'Dropout: p is null'],
  [() => new nn.Maxout(3, 'x' as never), 'Maxout: got "x", expected an object of options: axis'],
  [() => nn.weightNorm(new nn.Linear(2, 2), { nome: 'bias' } as never), 'weightNorm: unknown option "nome"'],
  [() => new neurite.optim.Adam({ lr: 0.1 }).update(3 as never, {}), 'Adam.update: got 3 as model'],
  [() => new neurite.optim.Adam({ maximize: 'no' as never }), 'Adam: maximize is "no", expected true or false'],
  [() => neurite.metrics.accuracy({ name: 3 as never }), 'accuracy: name is 3, expected text'],
  [() => new neurite.preprocess.LabelEncoder().fit('cat' as never), 'LabelEncoder.fit: labels is "cat"'],
  [() => new neurite.diagnostics.Monitor({ x: t, y: t }, {} as never), 'Monitor: loss is undefined'],
  [() => new neurite.Draws('below', 1).below(-1), 'below: got -1, expected a whole number in [1, 2^31]'],
  [() => kernels.alignedArray(3, 'x' as never), 'alignedArray: dtype is "x"'],
  [() => datasets.mnist({ dir: 3 as never }), 'dir is 3, expected text'],
  [() => datasets.readIdx('\0'), 'readIdx: path is "\\u0000", expected a path'],
  [() => new nn.Linear(3, 2, { bias: 'no' as never }), 'Linear: bias is "no", expected true or false'],
  [() => new nn.Linear(3, 2, { init: 'xavier' as never }), 'Linear: init is "xavier", expected a function'],
  [() => nn.init.zeros()([2], undefined as never), 'init.zeros: got undefined beside the shape'],
  [() => neurite.metrics.accuracy().batch(t, 3 as never), 'accuracy: labels is 3, expected a Tensor'],
  [() => new neurite.optim.SGD({ lr: 1 }).update(model(), undefined as never), 'SGD.update: grads: got undefined'],
  [() => train({ metrics: [null as never] }), "fit: metrics has null, expected a name such as 'accuracy'"],
  [() => train({ loss: () => 3 as never }), 'fit: the loss function returned 3, expected a scalar tensor'],
  [() => train({ progress: 'yes' as never }), 'fit: progress is "yes", expected true, false or a stream'],
  [() => train({ sampleWeight: null as never }), 'sampleWeight is null, expected an array of numbers'],
  [() => neurite.predict(model(), t, { batchSize: 'all' as never }), 'batchSize is "all"'],
  [() => train({ onEpoch: 3 as never }), 'fit: onEpoch is 3, expected a function'],
];

describe('arguments that are none', () => {
  it('are refused by name in every export', async () => {
    const found = new Map<string, string>();
    for (const [name, call] of EXPORTS) await walk(name, call, found);
    expect(Object.fromEntries(found)).toEqual({});
    expect(EXPORTS.length).toBeGreaterThan(500);
  });

  it('are refused by name in every method', async () => {
    const found = new Map<string, string>();
    for (const made of INSTANCES()) {
      for (const [name, call] of methods(made)) await walk(name, call, found, 1);
    }
    expect(Object.fromEntries(found)).toEqual({});
  });

  it.each(NONSENSE)('%s says %s', async (call, says) => {
    const error = await (async () => call())().then(
      () => null,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(NeuriteError);
    expect((error as Error).message).toContain(says);
  });

  it('leave an optimizer as it was', async () => {
    const optimizer = new neurite.optim.SGD({ lr: 1 });
    expect(() => optimizer.update(3 as never, {})).toThrow(NeuriteError);
    const layer = new nn.Linear(1, 1, { bias: false });
    optimizer.update(layer, { weight: neurite.zerosLike(layer.weight) });
    await neurite.flush();
    expect(optimizer.steps).toBe(1);
  });
});

describe('options that are true or false', () => {
  /** Fields of what users give or get that is no record of options, and of records inside the engine. */
  const OTHERS = [
    'isTTY',
    'costly',
    'bias',
    'barrier',
    'epilogue',
    'fallible',
    'forwards',
    'optionalOutputs',
    'random',
  ];
  /** Looked at where they are used. */
  const OWN = ['amsgrad', 'biasCorrection', 'centered', 'epsInSqrt', 'nesterov'];

  it('are refused when they are something else, whoever checks their names', () => {
    const report = readFileSync(new URL('../../docs/api-report.md', import.meta.url), 'utf8');
    const names = new Set([...report.matchAll(/(\w+)\?: boolean;/g)].map(([, name]) => name));
    for (const name of [...OTHERS, ...OWN]) names.delete(name);
    expect(names.size).toBeGreaterThan(40);
    for (const name of names) {
      expect(() => checkOptions('f', { [name]: 'no' }, [name])).toThrow(`f: ${name} is "no", expected true or false`);
      checkOptions('f', { [name]: undefined }, [name]);
    }
  });
});
