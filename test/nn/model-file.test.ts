import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  FormatError,
  fit,
  io,
  nn,
  OptionError,
  preprocess,
  randomState,
  type Tensor,
  tensor,
} from '../../src/index.js';

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'neurite-model-'));
});
afterAll(() => rm(scratch, { recursive: true }));
const path = (name: string) => join(scratch, name);

const x = tensor([
  [1, 20],
  [2, 10],
  [3, 40],
  [4, 30],
]);

async function trained(): Promise<nn.Sequential> {
  const model = new nn.Sequential(
    new nn.Linear(2, 4),
    new nn.BatchNorm1d(4),
    new nn.Tanh(),
    new nn.Dropout(0.5),
    new nn.Linear(4, 2),
  );
  await fit(
    model,
    { x, y: tensor([0, 1, 0, 1], { dtype: 'int32' }) },
    { loss: 'crossEntropy', optimizer: 'adam', epochs: 2, batchSize: 4 },
  );
  return model;
}

describe('saveModel and loadModel', () => {
  it('a model comes back with its preprocessing and classes, and gives the same numbers', async () => {
    const model = await trained();
    const scaler = await new preprocess.StandardScaler().fit(x);
    const classes = ['no', 'yes "é"'];
    await nn.saveModel(model, path('a.safetensors'), { preprocessing: scaler, classes });
    const loaded = await nn.loadModel(path('a.safetensors'));
    expect(loaded.classes).toEqual(classes);
    expect(loaded.library).toMatch(/^\d+\.\d+\.\d+/);
    expect(loaded.model.training).toBe(false);
    expect(loaded.model).toBeInstanceOf(nn.Sequential);
    expect(String((loaded.model as nn.Sequential)[3])).toBe('Dropout(0.5)');
    const prepared = (loaded.preprocessing as preprocess.StandardScaler).transform(x);
    const before = model.eval().forward(await scaler.transform(x));
    const after = loaded.model.forward(await prepared);
    expect(await after.data()).toEqual(await before.data());
  });

  it('weight norm, spectral norm and pruning masks come back as such', async () => {
    const model = new nn.Sequential(
      nn.weightNorm(new nn.Linear(2, 4), { axis: 1 }),
      nn.spectralNorm(new nn.Linear(4, 4), { iterations: 2 }),
      nn.prune(new nn.Linear(4, 2), { amount: 0.5 }),
    );
    await nn.saveModel(model, path('parametrised.safetensors'));
    const { model: again } = await nn.loadModel(path('parametrised.safetensors'));
    expect([...again.namedParameters().keys()]).toEqual([...model.namedParameters().keys()]);
    expect([...again.namedBuffers().keys()]).toEqual([...model.namedBuffers().keys()]);
    expect(await again.forward(x).data()).toEqual(await model.eval().forward(x).data());
    nn.removeParametrization((again as nn.Sequential)[2] as nn.Linear);
    expect(await (again as nn.Sequential).forward(x).data()).toEqual(await model.forward(x).data());

    const { tensors, metadata } = await io.readSafetensors(path('parametrised.safetensors'));
    for (const kind of ['"weightNorm"', '"prune"']) {
      const config = (metadata['config'] as string).replace(kind, '"other"');
      await io.writeSafetensors(path('unknown.safetensors'), tensors, { ...metadata, config });
      await expect(nn.loadModel(path('unknown.safetensors'))).rejects.toThrow(/nobody knows the parametrization/);
    }
  });

  it('several transformers by name, or none', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2));
    const labels = await new preprocess.LabelEncoder().fit(['b', 'a']);
    const preprocessing = { x: await new preprocess.Pipeline([new preprocess.MinMaxScaler()]).fit(x), y: labels };
    await nn.saveModel(model, path('b.safetensors'), { preprocessing });
    const loaded = await nn.loadModel(path('b.safetensors'));
    expect(JSON.stringify(loaded.preprocessing)).toBe(JSON.stringify(preprocessing));
    expect(loaded.classes).toBeNull();
    await nn.saveModel(model, path('b.safetensors'));
    expect((await nn.loadModel(path('b.safetensors'))).preprocessing).toBeNull();
  });

  it('saving leaves the random streams alone; equal models give equal files', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2));
    const before = randomState();
    await nn.saveModel(model, path('c.safetensors'));
    expect(randomState()).toEqual(before);
    const { model: again } = await nn.loadModel(path('c.safetensors'));
    await nn.saveModel(again, path('d.safetensors'));
    const [c, d] = await Promise.all(['c', 'd'].map((n) => io.readSafetensors(path(`${n}.safetensors`))));
    expect(d).toEqual(c);
  });

  it('layers of the program come from the registry, never from the file', async () => {
    class Skip extends nn.Module {
      body: nn.Sequential;
      constructor(body: nn.Sequential) {
        super();
        this.body = body;
      }
      override config(): nn.ModuleConfig {
        return [this.body];
      }
      forward(input: Tensor): Tensor {
        return input.add(this.body.forward(input));
      }
    }
    const model = new nn.Sequential(new Skip(new nn.Sequential(new nn.Linear(2, 2), new nn.ReLU())));
    await nn.saveModel(model, path('r.safetensors'));
    const unknown = nn.loadModel(path('r.safetensors'));
    await expect(unknown).rejects.toBeInstanceOf(FormatError);
    await expect(unknown).rejects.toThrow(/r\.safetensors": nobody knows the layer "Skip"; pass its class: registry/);
    const { model: again } = await nn.loadModel(path('r.safetensors'), { registry: { Skip } });
    expect(await again.forward(x).data()).toEqual(await model.forward(x).data());
    await nn.saveModel(model, path('r.safetensors'), { registry: { Other: Skip } });
    expect((await nn.loadModel(path('r.safetensors'), { registry: { Other: Skip } })).model).toBeInstanceOf(nn.Module);
  });

  it('a config() that makes another model is found before anything is written', async () => {
    class Net extends nn.Module {
      head: nn.Linear = new nn.Linear(4, 10);
      forward(input: Tensor): Tensor {
        return this.head.forward(input);
      }
    }
    const model = new Net();
    model.head = new nn.Linear(4, 3);
    const saving = nn.saveModel(model, path('never.safetensors'));
    await expect(saving).rejects.toBeInstanceOf(OptionError);
    await expect(saving).rejects.toThrow(
      /makes float32 \[10, 4\] for "head\.weight", the tensors have float32 \[3, 4\]: a config/,
    );
    await expect(nn.saveModel(model, path('never.safetensors'), { classes: [1] as never })).rejects.toThrow(
      /classes is \[1\]/,
    );
    await expect(nn.saveModel(model, path('x'), { preprocesing: 1 } as never)).rejects.toThrow(/mean "preprocessing"/);
    expect(await readdir(scratch)).not.toContain('never.safetensors');
  });

  it('files that are no models, or bad ones', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2));
    const file = path('e.safetensors');
    await model.save(file);
    await expect(nn.loadModel(file)).rejects.toThrow(
      /does not say which layers they belong to; .* model\.load\(file\)/,
    );
    await nn.saveModel(model, file);
    expect(await new nn.Sequential(new nn.Linear(2, 2)).load(file)).toEqual({ missing: [], unexpected: [] });
    const { tensors, metadata } = await io.readSafetensors(file);
    const cases: [Record<string, string>, RegExp][] = [
      [{ config: '{' }, /e\.safetensors": "config" is no JSON/],
      [{ config: '{"type":"Linear","args":[2,3]}' }, /makes float32 \[3, 2\] for "weight", the tensors have nothing/],
      [{ config: '{"type":"Linear","args":[1000000,1000]}' }, /the tensors have nothing/],
      [{ preprocessing: '[]' }, /"preprocessing" is \[\], expected an object/],
      [{ preprocessing: '{"type":"Evil"}' }, /type is "Evil", expected one of/],
      [{ preprocessing: '{"x":{"type":"StandardScaler","version":2}}' }, /"version" is 2, expected 1/],
      [{ classes: '{}' }, /"classes" is \{\}, expected an array of strings/],
      [{ version: '2' }, /got version "2", expected "1"; update neurite/],
    ];
    for (const [change, message] of cases) {
      await io.writeSafetensors(file, tensors, { ...metadata, ...change });
      const loading = nn.loadModel(file);
      await expect(loading).rejects.toBeInstanceOf(FormatError);
      await expect(loading).rejects.toThrow(message);
    }
  });
});

it('transfer: take what fits, freeze it, train a new head', async () => {
  const teacher = await trained();
  await teacher.save(path('teacher.safetensors'));
  const student = new nn.Sequential(new nn.Linear(2, 4), new nn.BatchNorm1d(4), new nn.Tanh());
  const report = await student.load(path('teacher.safetensors'), { strict: false });
  expect(report).toEqual({ missing: [], unexpected: ['4.bias', '4.weight'] });
  student.freeze();
  student.append(new nn.Linear(4, 3));
  expect([...student.trainableCells().keys()]).toEqual(['3.weight', '3.bias']);
  const [frozen, head] = [await student[0].stateDict(), await student[3].stateDict()];
  const y = tensor([0, 1, 2, 1], { dtype: 'int32' });
  await fit(student, { x, y }, { loss: 'crossEntropy', optimizer: 'adam', epochs: 2, batchSize: 4 });
  expect(await (await student[0].stateDict())['weight'].data()).toEqual(await frozen['weight'].data());
  expect(await (await student[3].stateDict())['weight'].data()).not.toEqual(await head['weight'].data());
  student[3] = new nn.Linear(4, 5);
  expect(student.forward(x).shape).toEqual([4, 5]);
});
