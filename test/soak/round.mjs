// One round of the soak: train, evaluate, predict, save, load, checkpoint. Gives a hash of every number that came out.
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { data, evaluate, fit, io, nn, optim, predict, preprocess, seed } from '../../dist/index.js';

const FEATURES = 16;

export async function round(directory) {
  seed(7);
  const all = data.blobs(600, { features: FEATURES, centers: 4, seed: 1 });
  const { train, test } = data.trainDevTest(all, { test: 0.25, seed: 1 });
  const scaler = await new preprocess.StandardScaler().fit(train);
  const [ready, held] = [await scaler.transform(train), await scaler.transform(test)];
  const make = () =>
    new nn.Sequential(
      ...[new nn.Linear(FEATURES, 64), new nn.BatchNorm1d(64), new nn.ReLU(), new nn.Dropout(0.2)],
      ...[new nn.Linear(64, 64), new nn.Tanh(), new nn.Linear(64, 4)],
    );
  const model = make();
  const optimizer = new optim.Adam({ lr: 1e-3 });
  const options = { loss: 'crossEntropy', metrics: ['accuracy'] };
  const history = await fit(model, ready, { ...options, optimizer, epochs: 3, batchSize: 32, validation: held });

  // Through a model file and through a checkpoint, into fresh models.
  const file = join(directory, 'model.safetensors');
  await nn.saveModel(model, file, { preprocessing: scaler, classes: ['a', 'b', 'c', 'd'] });
  const { model: loaded } = await nn.loadModel(file);
  const checkpoints = new io.CheckpointDirectory(join(directory, 'checkpoints'), { keepLast: 2 });
  const { tensors } = await io.readSafetensors(file);
  const step = (await checkpoints.load())?.step ?? 0;
  await checkpoints.save(step + 1, { tensors, state: { losses: history.epochs.map((e) => e.loss) } });
  const checkpoint = await checkpoints.load();
  const again = make();
  await again.loadTensors(checkpoint.tensors);

  const hash = createHash('sha256');
  for (const m of [model, loaded, again]) {
    const figures = await evaluate(m, held, options);
    hash.update(JSON.stringify(figures));
    hash.update(await (await predict(m, held)).data());
  }
  for (const t of Object.values(await model.stateDict())) hash.update(await t.data());
  hash.update(JSON.stringify(checkpoint.state));
  return { hash: hash.digest('hex'), steps: history.steps };
}
