// `neurite bench`: what this machine gives, in a few seconds and without data of its own.
import { compile, configure, info, realizeSync, seed, type Tensor, tensor, valueAndGrad } from '../core.js';
import { crossEntropy } from '../losses/index.js';
import { Linear, ReLU, Sequential } from '../nn/index.js';
import { Adam } from '../optim/index.js';
import { type Call, type Outcome, UsageError, wholeOption } from './command.js';
import { bold, columns, showNumber } from './text.js';
import { packageVersion } from './version.js';

interface Case {
  readonly name: string;
  readonly unit: string;
  /** How many of the unit one run is. */
  readonly amount: number;
  run(): void;
}

/** Median time of a run in seconds, of at least five after a warm-up, for about `seconds`. */
function medianTime(run: () => void, seconds: number): { median: number; runs: number } {
  run();
  run();
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  do {
    const start = performance.now();
    run();
    times.push((performance.now() - start) / 1000);
  } while (times.length < 5 || performance.now() < end);
  times.sort((a, b) => a - b);
  return { median: times[times.length >> 1] as number, runs: times.length };
}

/** Numbers in [-1, 1) that look like no pattern; the same on every machine. */
function noise(n: number): Float32Array {
  const values = new Float32Array(n);
  let state = 1;
  for (let i = 0; i < n; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    values[i] = state / 2 ** 31;
  }
  return values;
}

/** A tensor of noise that is in memory before the clock starts. */
function noiseTensor(shape: readonly number[]): Tensor {
  return tensor(noise(shape.reduce((a, b) => a * b)), { shape });
}

function probes(): Case[] {
  const from = new Float32Array(2 ** 24).fill(1);
  const to = new Float32Array(from.length);
  const chain = (): void => {
    let [a, b, c, d] = [1, 2, 3, 4];
    for (let i = 0; i < 1e6; i++) {
      a = a * 0.999 + 0.1;
      b = b * 0.999 + 0.1;
      c = c * 0.999 + 0.1;
      d = d * 0.999 + 0.1;
    }
    if (!(a + b + c + d < 1000)) throw new Error('bench: the probe went astray');
  };
  return [
    { name: 'JavaScript, one thread', unit: 'GFLOP/s', amount: 8e-3, run: chain },
    { name: 'memory, copy of 64 MiB', unit: 'GB/s', amount: (2 * from.byteLength) / 1e9, run: () => to.set(from) },
  ];
}

/** A compiled function of tensors, run to its end. */
function kernel(
  name: string,
  unit: string,
  amount: number,
  shapes: readonly (readonly number[])[],
  f: (...x: Tensor[]) => Tensor,
): Case {
  const inputs = shapes.map(noiseTensor);
  const compiled = compile(f);
  return { name, unit, amount, run: () => realizeSync(compiled(...inputs)) };
}

function kernels(): Case[] {
  const n = 2 ** 20;
  const gemm = (size: number): Case =>
    kernel(
      `matmul ${size}`,
      'GFLOP/s',
      (2 * size ** 3) / 1e9,
      [
        [size, size],
        [size, size],
      ],
      (a, b) => a.matmul(b),
    );
  return [
    gemm(128),
    gemm(512),
    gemm(1024),
    kernel('relu(a · x + b), 4 Mi', 'GB/s', (16 * 4 * n) / 1e9, [[4 * n], [4 * n], [4 * n]], (a, x, b) =>
      a.mul(x).add(b).relu(),
    ),
    kernel('exp, 1 Mi', 'G/s', n / 1e9, [[n]], (x) => x.exp()),
    kernel('tanh, 1 Mi', 'G/s', n / 1e9, [[n]], (x) => x.tanh()),
    kernel('sum, 4 Mi', 'GB/s', (16 * n) / 1e9, [[4 * n]], (x) => x.sum()),
    kernel('softmax 1024 x 1024', 'G/s', n / 1e9, [[1024, 1024]], (x) => x.softmax()),
  ];
}

/** A training step of the network that MNIST is trained with: 784-128-128-10, ReLU, Adam, 128 samples. */
function trainingStep(): Case {
  seed(1);
  const [inputs, batch, classes] = [784, 128, 10];
  const model = new Sequential(
    new Linear(inputs, 128),
    new ReLU(),
    new Linear(128, 128),
    new ReLU(),
    new Linear(128, classes),
  );
  const optimizer = new Adam({ lr: 1e-3 });
  const lossAndGrad = valueAndGrad(model, (x: Tensor, y: Tensor) => crossEntropy(model.forward(x), y));
  const step = compile((x: Tensor, y: Tensor): Tensor => {
    const [loss, grads] = lossAndGrad(x, y);
    optimizer.update(model, grads);
    return loss;
  });
  const x = noiseTensor([batch, inputs]);
  const y = tensor(
    Int32Array.from({ length: batch }, (_, i) => i % classes),
    { dtype: 'int32' },
  );
  return {
    name: 'training step, MLP 784-128-128-10',
    unit: 'samples/s',
    amount: batch,
    run: () => {
      const loss = step(x, y).itemSync();
      if (!Number.isFinite(loss)) throw new Error(`bench: the loss became ${loss}`);
    },
  };
}

export async function bench({ options, styled }: Call): Promise<Outcome> {
  const seconds = Number(options['seconds'] ?? 0.3);
  if (!(seconds > 0 && seconds <= 3600)) {
    throw new UsageError(`neurite bench: --seconds is '${String(options['seconds'])}', expected a number in (0, 3600]`);
  }
  const threads = wholeOption('bench: --threads', options['threads'], 1);
  if (threads !== undefined) configure({ threads });
  const cases = [...probes(), ...kernels(), trainingStep()];
  const results = cases.map(({ name, unit, amount, run }) => {
    const { median, runs } = medianTime(run, seconds);
    return { name, value: amount / median, unit, milliseconds: median * 1000, runs };
  });
  const { isa, threads: used, cpu, compiler } = info();
  const head = `neurite ${packageVersion()}, ${cpu}, ${isa}, ${used} thread${used === 1 ? '' : 's'}`;
  const rows = results.map(({ name, value, unit, milliseconds, runs }) => [
    name,
    showNumber(value),
    unit,
    `${showNumber(milliseconds, 3)} ms`,
    `${runs} runs`,
  ]);
  return {
    json: { version: packageVersion(), node: process.version, cpu, isa, threads: used, compiler, results },
    text: `${bold(head, styled)}\n${columns(rows, [1, 3, 4])}`,
  };
}
