import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import {
  data,
  diagnostics,
  fit,
  flush,
  nn,
  normal,
  OptionError,
  optim,
  seed,
  type Tensor,
  tensor,
} from '../../src/index.js';
import { faults } from '../plot/svg.js';

const { diagnose, Monitor } = diagnostics;
const quiet = { loss: 'crossEntropy', print: false } as const;
const kinds = (d: diagnostics.Diagnosis): string[] => [...new Set(d.warnings.map((w) => w.kind))];

function blobs(): data.TensorDataset {
  return data.blobs(128, {
    centers: [
      [-2, 0],
      [2, 0],
      [0, 3],
    ],
    seed: 3,
  });
}

/** 16 independent features, which keep units apart as images do. */
function wide(): data.TensorDataset {
  seed(2);
  return new data.TensorDataset(normal([256, 16]), tensor(Int32Array.from({ length: 256 }, (_, i) => i % 3)));
}

/** `inputs` inputs, `depth` hidden layers of 32, 3 classes. */
function net(depth: number, activation: () => nn.Module, init: nn.init.Initializer, inputs = 2): nn.Sequential {
  seed(5);
  const layers: nn.Module[] = [];
  for (let i = 0; i < depth; i++)
    layers.push(new nn.Linear(i === 0 ? inputs : 32, 32, { init, biasInit: nn.init.zeros() }), activation());
  return new nn.Sequential(...layers, new nn.Linear(32, 3, { init: nn.init.xavierUniform() }));
}

describe('diagnose: healthy networks have no warnings', () => {
  it.each<[string, nn.Sequential]>([
    ['ReLU with He initialisation, 3 layers', net(3, () => new nn.ReLU(), nn.init.kaimingNormal(), 16)],
    ['ReLU with He initialisation, 6 layers', net(6, () => new nn.ReLU(), nn.init.kaimingNormal(), 16)],
    ['tanh with Glorot initialisation, 5 layers', net(5, () => new nn.Tanh(), nn.init.xavierNormal(), 16)],
    ['PyTorch defaults, 2 layers', new nn.Sequential(new nn.Linear(16, 32), new nn.ReLU(), new nn.Linear(32, 3))],
  ])('%s', async (_name, model) => {
    const d = await diagnose(model, wide(), quiet);
    expect(d.warnings).toEqual([]);
    expect(String(d)).toContain('no warnings');
    expect(faults(d.svg)).toEqual([]);
  });
});

describe('diagnose: sick networks', () => {
  it('finds dead ReLUs, and counts them', async () => {
    // Three of four units have a bias that no input overcomes.
    const model = new nn.Sequential(new nn.Linear(2, 4), new nn.ReLU(), new nn.Linear(4, 3));
    model.loadStateDict({ ...(await model.stateDict()), '0.bias': tensor([-100, -100, 100, -100]) });
    const d = await diagnose(model, blobs(), quiet);
    expect(kinds(d)).toContain('dead units');
    const relu = d.activations.find((a) => a.layer === 'ReLU');
    expect([relu?.path, relu?.dead, relu?.units, relu?.sparsity]).toEqual(['1', 3, 4, 0.75]);
    expect(d.warnings.find((w) => w.kind === 'dead units')?.message).toContain('3 of 4 units of "1"');
    expect(faults(d.svg)).toEqual([]);
  });

  it('finds gradients that vanish in a stack of sigmoids', async () => {
    const d = await diagnose(
      net(8, () => new nn.Sigmoid(), nn.init.fanInUniform()),
      blobs(),
      quiet,
    );
    expect(kinds(d)).toEqual(['vanishing gradients']);
    expect(d.warnings[0].path).toBe('0.weight');
    const rms = d.parameters.filter((p) => p.path.endsWith('weight')).map((p) => p.gradRms as number);
    expect(rms[0] / rms[8]).toBeLessThan(1e-4); // each sigmoid leaves at most a quarter
  });

  it('finds an initialisation that explodes', async () => {
    const d = await diagnose(
      net(6, () => new nn.ReLU(), nn.init.normal(0, 2)),
      blobs(),
      quiet,
    );
    expect(kinds(d)).toContain('exploding gradients');
    expect(d.gradNorm).toBeGreaterThan(1e3);
  });

  it('finds saturated tanh and sigmoid', async () => {
    for (const activation of [() => new nn.Tanh(), () => new nn.Sigmoid()]) {
      const d = await diagnose(net(1, activation, nn.init.normal(0, 30)), blobs(), quiet);
      expect(kinds(d)).toContain('saturation');
      expect(d.activations[1].saturation).toBeGreaterThan(0.8);
    }
  });

  it('names what is not finite: the parameter, else the first layer, else the loss', async () => {
    const model = net(2, () => new nn.ReLU(), nn.init.kaimingNormal());
    const whole = await model.stateDict();
    model.loadStateDict({ ...whole, '2.bias': tensor(new Float32Array(32).fill(Number.NaN)) });
    const bad = await diagnose(model, blobs(), quiet);
    expect(bad.warnings[0]).toMatchObject({ kind: 'not finite', path: '2.bias' });
    expect(faults(bad.svg)).toEqual([]);
    model.loadStateDict({ ...whole, '0.weight': whole['0.weight'].mul(1e20), '2.weight': whole['2.weight'].mul(1e20) });
    expect((await diagnose(model, blobs(), quiet)).warnings[0]).toMatchObject({ kind: 'not finite', path: '2' });
    model.loadStateDict(whole);
    const infinite = await diagnose(model, blobs(), { ...quiet, loss: (out) => out.sum().mul(0).log() });
    expect(infinite.warnings[0]).toMatchObject({ kind: 'not finite', path: '' });
  });

  it('finds a model that gets no gradient at all', async () => {
    const d = await diagnose(
      net(1, () => new nn.ReLU(), nn.init.kaimingNormal()),
      blobs(),
      { ...quiet, loss: (out) => out.mul(0).sum() },
    );
    expect(kinds(d)).toEqual(['no gradient']);
  });

  it('finds updates that are too small or too large', async () => {
    for (const [lr, kind] of [
      [1e-7, 'small updates'],
      [10, 'large updates'],
    ] as const) {
      const model = net(2, () => new nn.ReLU(), nn.init.kaimingNormal());
      const before = await model.stateDict();
      await fit(model, blobs(), { loss: 'crossEntropy', optimizer: new optim.SGD({ lr }), batchSize: 128 });
      const d = await diagnose(model, blobs(), { ...quiet, before });
      expect(kinds(d)).toContain(kind);
      expect(String(d)).toContain('update');
    }
  });
});

describe('diagnose: the numbers', () => {
  it('are those of a network small enough to do by hand', async () => {
    // y = w·x with w = [3, −4], x = [1, 2]: loss (y − 1)² = 36, gradient 2·(y − 1)·x = −12·x.
    const model = new nn.Linear(2, 1, { bias: false, init: () => tensor([[3, -4]]) });
    const before = { weight: tensor([[0, 1]]) };
    const d = await diagnose(model, { x: [[1, 2]], y: [[1]] }, { loss: 'mse', print: false, before });
    expect(d.loss).toBe(36);
    const [w] = d.parameters;
    expect(w).toMatchObject({ path: 'weight', shape: [1, 2], norm: 5, sparsity: 0, connectionSparsity: 0 });
    expect(w.gradNorm).toBeCloseTo(12 * Math.sqrt(5), 12);
    expect(w.gradRms).toBeCloseTo((12 * Math.sqrt(5)) / Math.SQRT2, 12);
    expect(w.updateRatio).toBeCloseTo(Math.hypot(3, 5), 12);
    expect(d.activations).toMatchObject([
      { path: '(model)', mean: -5, std: 0, sparsity: 0, units: 1, dead: null, finite: true },
    ]);
  });

  it('count zero weights, connections and activations', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.ReLU());
    model.loadStateDict({
      '0.weight': tensor([
        [0, 0],
        [1, 0],
      ]),
      '0.bias': tensor([-1, 0]),
    });
    const points = {
      x: [
        [1, 5],
        [-1, 5],
      ],
      y: [
        [1, 1],
        [1, 1],
      ],
    };
    const d = await diagnose(model, points, { loss: 'mse', print: false });
    expect(d.parameters.map((p) => [p.sparsity, p.connectionSparsity])).toEqual([
      [0.75, 0.75],
      [0.5, null],
    ]);
    expect(d.sparsity).toBeCloseTo(4 / 6, 12);
    expect(d.activations[1]).toMatchObject({ sparsity: 0.75, dead: 1 });
    const loose = await diagnose(model, points, { loss: 'mse', print: false, tolerance: 1 });
    expect(loose.sparsity).toBe(1);
  });

  it('see activations that a module calls as functions', async () => {
    class Net extends nn.Module {
      hidden = new nn.Linear(2, 8);
      out = new nn.Linear(8, 3);
      forward(x: Tensor): Tensor {
        return this.out.forward(this.hidden.forward(x).tanh());
      }
    }
    const d = await diagnose(new Net(), blobs(), quiet);
    expect(d.activations.map((a) => [a.path, a.layer])).toEqual([
      ['hidden', 'Linear(2→8)'],
      ['(model):tanh', 'tanh'],
      ['out', 'Linear(8→3)'],
    ]);
  });

  it('say nothing of frozen parameters, and leave the model as it was', async () => {
    seed(1);
    const model = new nn.Sequential(
      new nn.Linear(2, 8),
      new nn.BatchNorm1d(8),
      new nn.ReLU(),
      new nn.Dropout(0.5),
      new nn.Linear(8, 3),
    );
    model.freeze((path) => path.startsWith('0.'));
    const before = await model.stateDict();
    const d = await diagnose(model, blobs(), quiet);
    expect(d.parameters.map((p) => p.gradNorm === null)).toEqual([true, true, false, false, false, false]);
    const after = await model.stateDict();
    for (const path of Object.keys(before)) expect(await after[path].data()).toEqual(await before[path].data());
    expect(model.training).toBe(true);
  });

  it('come as JSON, as a table on request and as a file', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'neurite-diagnosis-'));
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    try {
      const model = net(1, () => new nn.ReLU(), nn.init.kaimingNormal());
      const history = await fit(model, blobs(), { loss: 'crossEntropy', optimizer: 'adam', epochs: 3 });
      const file = join(dir, 'diagnosis.svg');
      const d = await diagnose(model, blobs(), { loss: 'crossEntropy', history, plot: file });
      expect(log).toHaveBeenCalledTimes(1);
      const printed = log.mock.calls[0][0] as string;
      for (const word of ['0.weight', '[32, 2]', 'gradient', 'dead', 'still learning']) expect(printed).toContain(word);
      expect(await readFile(file, 'utf8')).toBe(d.svg);
      expect(d.svg).toContain('>Loss<');
      expect(JSON.parse(JSON.stringify(d)).parameters).toEqual(d.parameters);
    } finally {
      log.mockRestore();
      await rm(dir, { recursive: true, force: true });
    }
  });

  it.each<[string, object, RegExp]>([
    ['no loss', { print: false }, /loss is undefined/],
    ['an unknown option', { ...quiet, sample: 3 }, /unknown option "sample".*"samples"/],
    ['a threshold out of range', { ...quiet, dead: 2 }, /dead is 2/],
    ['updates the wrong way round', { ...quiet, updates: [1, 0] }, /updates is \[1, 0\]/],
    ['a tolerance below 0', { ...quiet, tolerance: -1 }, /tolerance is -1/],
    ['no samples', { ...quiet, samples: 0 }, /samples is 0/],
  ])('refuses %s', async (_name, options, message) => {
    const call = diagnose(new nn.Linear(2, 3), blobs(), options as diagnostics.DiagnoseOptions);
    await expect(call).rejects.toThrow(OptionError);
    await expect(call).rejects.toThrow(message);
  });

  it('refuses what is no model', async () => {
    await expect(diagnose((() => 0) as never, blobs(), quiet)).rejects.toThrow(/expected an nn.Module/);
  });
});

describe('Monitor', () => {
  const train = async (callbacks: readonly diagnostics.Monitor[]) => {
    seed(9);
    const model = new nn.Sequential(
      new nn.Linear(2, 8),
      new nn.BatchNorm1d(8),
      new nn.ReLU(),
      new nn.Dropout(0.3),
      new nn.Linear(8, 3),
    );
    const history = await fit(model, blobs(), {
      loss: 'crossEntropy',
      optimizer: new optim.Adam({ lr: 0.02 }),
      epochs: 4,
      callbacks,
    });
    const weights = await model.stateDict();
    return { history, bytes: await Promise.all(Object.values(weights).map((t) => t.data())) };
  };

  it('diagnoses every so many epochs and changes no bit of the training', async () => {
    const seen: number[] = [];
    const monitor = new Monitor(blobs(), {
      loss: 'crossEntropy',
      every: 2,
      onDiagnosis: (_, epoch) => void seen.push(epoch),
    });
    const watched = await train([monitor]);
    expect(seen).toEqual([2, 4]);
    expect(monitor.diagnoses.map((d) => d.verdict?.kind === 'too short')).toEqual([true, false]);
    for (const p of monitor.diagnoses[0].parameters) expect(p.updateRatio).toBeGreaterThan(0);
    const alone = await train([]);
    expect(watched.bytes).toEqual(alone.bytes);
    expect(watched.history.epochs.map((e) => e.loss)).toEqual(alone.history.epochs.map((e) => e.loss));
  });

  it('ends the run at a warning it was told to end it at', async () => {
    const monitor = new Monitor(blobs(), { loss: 'crossEntropy', stopOn: ['large updates'], updates: [0, 1e-6] });
    const { history } = await train([monitor]);
    expect(history.epochs).toHaveLength(1);
    expect(history.stopped).toBe('stopped');
  });

  it('refuses options that make no sense', async () => {
    expect(() => new Monitor(blobs(), { loss: 'mse', every: 0 })).toThrow(/every is 0/);
    expect(() => new Monitor(blobs(), { loss: 'mse', stopOn: 'saturation' as never })).toThrow(/expected a list/);
    await flush();
  });
});
