import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  compile,
  flush,
  nn,
  optim,
  Parameter,
  randomState,
  ShapeError,
  State,
  seed,
  type Tensor,
  tensor,
  uniform,
  valueAndGrad,
  zeros,
} from '../../src/index.js';
import { writeSafetensors } from '../../src/io/index.js';

const { Linear, Module, ReLU, Sequential } = nn;

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'neurite-nn-'));
});
afterAll(() => rm(directory, { recursive: true }));

const mlp = () => new Sequential(new Linear(3, 4), new ReLU(), new Linear(4, 2));

/** Fields of every kind that the walk has to handle. */
class Mixed extends Module {
  scale = new Parameter(zeros([2]));
  count = new State(zeros([]));
  blocks = [new Linear(2, 2, { bias: false }), [new ReLU(), new Linear(2, 2)]];
  heads = { left: new Linear(2, 1), right: null };
  shared = this.blocks[0] as nn.Linear;
  tied = this.scale;
  self: unknown = this;
  numbers = [1, 2, 3];
  #hidden = new Linear(2, 2);
  forward(x: Tensor): Tensor {
    return this.heads.left.forward(this.#hidden.forward(x).mul(this.scale.read()));
  }
}

describe('the tree', () => {
  it('finds cells and modules in fields, arrays and records, each once, first path first', () => {
    const m = new Mixed();
    expect([...m.namedParameters().keys()]).toEqual([
      'scale',
      'blocks.0.weight',
      'blocks.1.1.weight',
      'blocks.1.1.bias',
      'heads.left.weight',
      'heads.left.bias',
    ]);
    expect([...m.namedBuffers().keys()]).toEqual(['count']);
    expect([...m.namedModules().keys()]).toEqual(['', 'blocks.0', 'blocks.1.0', 'blocks.1.1', 'heads.left']);
    expect(m.parameters()).toHaveLength(6);
    expect(m.buffers()).toEqual([m.count]);
    expect(m.scale.name).toBe('scale');
    expect(m.heads.left.weight.name).toBe('heads.left.weight');
    expect(m.heads.left.name).toBe('heads.left');
  });

  it('sees layers added and replaced later', () => {
    const model = mlp();
    model.append(new Linear(2, 7));
    model[0] = new Linear(5, 4);
    expect([...model.namedParameters()].map(([k, p]) => `${k} ${p.shape}`)).toEqual([
      '0.weight 4,5',
      '0.bias 4',
      '2.weight 2,4',
      '2.bias 2',
      '3.weight 7,2',
      '3.bias 7',
    ]);
    expect(model).toHaveLength(4);
    expect([...model].map(String)).toEqual(['Linear(5→4)', 'ReLU', 'Linear(4→2)', 'Linear(2→7)']);
  });

  it('gives parts of a model names from the outermost module', () => {
    class Net extends Module {
      features = mlp();
      forward(x: Tensor): Tensor {
        return this.features.forward(x);
      }
    }
    const net = new Net();
    expect(() => net.forward(zeros([1, 9]))).toThrow('Linear(3→4) "features.0": got [1, 9], expected last dimension 3');
    expect([...net.features.namedParameters().keys()][0]).toBe('0.weight');
    expect((net.features[0] as nn.Linear).weight.name).toBe('features.0.weight');
  });

  it('refuses two cells under one path', () => {
    class Clash extends Module {
      a = { 'b.c': new Parameter(zeros([1])), b: { c: new Parameter(zeros([1])) } };
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    expect(() => new Clash().parameters()).toThrow(/two fields make the path "a.b.c"/);
  });

  it('is printed by console.log without running anything', () => {
    expect(inspect(mlp())).toBe('Sequential\n  (0): Linear(3→4)\n  (1): ReLU\n  (2): Linear(4→2)');
  });
});

describe('scopes', () => {
  it('nodes carry the path of the layer that made them', () => {
    class Net extends Module {
      blocks = [mlp(), mlp()];
      forward(x: Tensor): Tensor {
        let y = this.blocks[0].forward(x);
        y = y.sum().add(x);
        return y;
      }
    }
    const scopes = new Set<string>();
    const walk = (t: Tensor) => {
      if (t.inputs.length > 0) scopes.add(t.scope);
      t.inputs.forEach(walk);
    };
    walk(new Net().forward(zeros([2, 3])));
    scopes.delete('');
    expect([...scopes].sort()).toEqual(['blocks.0.0', 'blocks.0.1', 'blocks.0.2']);
  });

  it('holds for modules with other inputs and outputs', () => {
    class Pair extends Module<[a: Tensor, b: Tensor], [Tensor, Tensor]> {
      linear = new Linear(2, 3);
      forward(a: Tensor, b: Tensor): [Tensor, Tensor] {
        return [this.linear.forward(a), b];
      }
    }
    const [y] = new Pair().forward(zeros([1, 2]), zeros([1]));
    expect(y.shape).toEqual([1, 3]);
  });
});

describe('training mode', () => {
  it('is set for the whole tree', () => {
    const model = new Sequential(mlp(), new nn.Dropout(0.5));
    expect(model.modules().every((m) => m.training)).toBe(true);
    expect(model.eval()).toBe(model);
    expect(model.modules().some((m) => m.training)).toBe(false);
    model.train();
    expect(model[1].training).toBe(true);
  });

  it('a change makes a compiled function trace again, and only a change', async () => {
    seed(3);
    const model = new Sequential(new nn.Dropout(0.5));
    const f = compile((x: Tensor) => model.forward(x));
    const x = tensor(new Float32Array(64).fill(1));
    expect(new Set(await f(x).data())).toEqual(new Set([0, 2]));
    model.eval();
    expect(new Set(await f(x).data())).toEqual(new Set([1]));
    model.train();
    expect(new Set(await f(x).data())).toEqual(new Set([0, 2]));
    expect(f.traces).toBe(2);
  });
});

describe('freeze', () => {
  it('takes parameters out of gradients and updates', async () => {
    const model = mlp().freeze((path) => path.startsWith('0.'));
    expect([...model.trainableCells().keys()]).toEqual(['2.weight', '2.bias']);
    const [, grads] = valueAndGrad(model, (x: Tensor) => model.forward(x).sum())(tensor([[1, 2, 3]]));
    expect(Object.keys(grads)).toEqual(['2.weight', '2.bias']);
    const before = await model.stateDict();
    await new optim.SGD({ lr: 0.1 }).step(model, grads);
    const after = await model.stateDict();
    expect(await after['0.weight'].data()).toEqual(await before['0.weight'].data());
    expect(await after['2.bias'].data()).not.toEqual(await before['2.bias'].data());
    expect([...model.unfreeze().trainableCells().keys()]).toHaveLength(4);
    expect([...model.freeze().trainableCells().keys()]).toEqual([]);
  });
});

describe('state', () => {
  it('stateDict copies at the call, later updates do not reach it', async () => {
    seed(1);
    const model = mlp();
    const x = tensor([[1, 2, 3]]);
    const optimizer = new optim.SGD({ lr: 0.01 });
    const step = compile((x: Tensor) => {
      const [loss, grads] = valueAndGrad(model, (x: Tensor) => model.forward(x).sum())(x);
      optimizer.update(model, grads);
      return loss;
    });
    await step(x).item();
    for (let round = 0; round < 20; round++) {
      const taken = model.stateDict();
      const again = model.stateDict();
      step(x);
      step(x);
      const [a, b] = [await taken, await again];
      for (const key of Object.keys(a)) expect(await a[key].data()).toEqual(await b[key].data());
      expect(await a['2.bias'].data()).not.toEqual(await (model[2] as nn.Linear).bias?.read().data());
    }
  });

  it('includes pending writes and survives loading, which copies too', async () => {
    const model = mlp();
    const bias = (model[2] as nn.Linear).bias as Parameter;
    bias.assign(tensor([5, 6]));
    const dict = await model.stateDict();
    expect(await dict['2.bias'].data()).toEqual(Float32Array.of(5, 6));
    const other = mlp();
    expect(other.loadStateDict(dict)).toEqual({ missing: [], unexpected: [] });
    const optimizer = new optim.SGD({ lr: 1 });
    await optimizer.step(other, { '2.bias': tensor([1, 1]) });
    expect(await dict['2.bias'].data()).toEqual(Float32Array.of(5, 6));
    expect(await bias.read().data()).toEqual(Float32Array.of(5, 6));
    expect(await (other[2] as nn.Linear).bias?.read().data()).toEqual(Float32Array.of(4, 5));
  });

  it('lists everything that does not fit, and then changes nothing', async () => {
    const model = mlp();
    const before = await model.stateDict();
    const bad: Record<string, Tensor> = {
      ...before,
      '0.bias': zeros([5]),
      extra: zeros([1]),
      '2.bias': zeros([2], { dtype: 'float64' }),
    };
    const dict: Record<string, Tensor> = { ...bad };
    delete dict['2.weight'];
    expect(() => model.loadStateDict(dict)).toThrow(ShapeError);
    expect(() => model.loadStateDict(dict)).toThrow(
      'Sequential.loadStateDict: the tensors do not fit the model; missing: 2.weight; unexpected: extra; ' +
        'wrong shape or dtype: 0.bias (got float32 [5], expected float32 [4]), 2.bias (got float64 [2], expected float32 [2])',
    );
    expect(() => model.loadStateDict(dict, { strict: false })).toThrow(/wrong shape or dtype/);
    expect(() => model.loadStateDict({ '0.bias': zeros([4]) })).toThrow(/pass \{ strict: false \}/);
    expect(() => model.loadStateDict({ '0.bias': [0] as unknown as Tensor }, { strict: false })).toThrow(
      /"0.bias" is not a tensor/,
    );
    const after = await model.stateDict();
    for (const key of Object.keys(before)) expect(await after[key].data()).toEqual(await before[key].data());
    expect(model.loadStateDict({ '0.bias': zeros([4]), more: zeros([1]) }, { strict: false })).toEqual({
      missing: ['0.weight', '2.weight', '2.bias'],
      unexpected: ['more'],
    });
    await flush();
    expect(await (model[0] as nn.Linear).bias?.read().data()).toEqual(new Float32Array(4));
  });
});

describe('files', () => {
  it('save and load give back every bit', async () => {
    seed(9);
    const [a, b] = [new Mixed(), new Mixed()];
    const file = join(directory, 'mixed.safetensors');
    await a.save(file);
    expect(await b.load(file)).toEqual({ missing: [], unexpected: [] });
    const [x, y] = [await a.stateDict(), await b.stateDict()];
    expect(Object.keys(x)).toEqual(Object.keys(y));
    for (const key of Object.keys(x)) expect(await y[key].data()).toEqual(await x[key].data());
  });

  it('says which file does not fit which model', async () => {
    const file = join(directory, 'small.safetensors');
    await new Linear(2, 2).save(file);
    await expect(mlp().load(file)).rejects.toThrow(/Sequential\.load ".*small\.safetensors": the tensors do not fit/);
    await expect(new Linear(2, 3).load(file)).rejects.toThrow(
      /weight \(got float32 \[2, 2\], expected float32 \[3, 2\]\)/,
    );
    await expect(mlp().load(join(directory, 'none'))).rejects.toThrow(/no such file/);
    await writeFile(file, 'not a model');
    await expect(mlp().load(file)).rejects.toThrow(/at byte/);
  });

  it('refuses a later version of its own format, and takes foreign files', async () => {
    const file = join(directory, 'later.safetensors');
    const bias = { dtype: 'float32', shape: [2], data: Float32Array.of(3, 4) } as const;
    const weight = { dtype: 'float32', shape: [2, 1], data: Float32Array.of(1, 2) } as const;
    await writeSafetensors(file, { weight, bias }, { format: 'neurite', version: '2' });
    await expect(new Linear(1, 2).load(file)).rejects.toThrow(/version "2", expected "1"/);
    await writeSafetensors(
      file,
      { weight, bias, far: { dtype: 'uint8', shape: Array(9).fill(1), data: new Uint8Array(1) } },
      { format: 'pt' },
    );
    const layer = new Linear(1, 2);
    expect(await layer.load(file, { strict: false })).toEqual({ missing: [], unexpected: ['far'] });
    expect(await layer.forward(tensor([[10]])).data()).toEqual(Float32Array.of(13, 24));
  });
});

describe('summary', () => {
  it('lists layers, shapes and parameters', () => {
    const model = new Sequential(new nn.Flatten(), new Linear(784, 128), new ReLU(), new Linear(128, 10));
    model.freeze((path) => path.startsWith('1.'));
    expect(model.summary([32, 28, 28])).toBe(
      [
        'path     layer                     output shape  parameters',
        '-----------------------------------------------------------',
        '(model)  Sequential                [32, 10]               0',
        '0        Flatten                   [32, 784]              0',
        '1        Linear(784→128) (frozen)  [32, 128]        100,480',
        '2        ReLU                      [32, 128]              0',
        '3        Linear(128→10)            [32, 10]           1,290',
        '-----------------------------------------------------------',
        'total parameters: 101,770, trainable: 1,290, frozen: 100,480',
      ].join('\n'),
    );
    expect(model.summary()).not.toContain('output shape');
  });

  it('changes neither random streams nor training mode, and counts buffers', () => {
    class Noisy extends Module {
      seen = new State(zeros([7]));
      drop = new nn.Dropout(0.5);
      forward(x: Tensor): Tensor {
        return this.drop.forward(x.add(uniform(x.shape)));
      }
    }
    const model = new Noisy();
    model.drop.eval();
    const before = randomState();
    expect(model.summary([2, 2])).toContain('buffers: 7');
    expect(randomState()).toEqual(before);
    expect([model.training, model.drop.training]).toEqual([true, false]);
    expect(() => mlp().summary([1, 5])).toThrow(/Linear\(3→4\) "0"/);
    expect(model.training).toBe(true);
  });
});
