// A training run with frequent checkpoints, to be killed. Arguments: directory, optimizer, file for the final parameters.
// Prints "start STEP" when training begins and "saved STEP" for every checkpoint that is durable.
import { callbacks, data, fit, nn, optim, seed } from 'neurite';

const [directory, optimizer, file] = process.argv.slice(2);
const print = (line) => process.stdout.write(`${line}\n`);

seed(5);
const samples = data.spirals(240, { arms: 3, seed: 1 });
const model = new nn.Sequential(
  new nn.Linear(2, 24),
  new nn.BatchNorm1d(24),
  new nn.Tanh(),
  new nn.Dropout(0.2),
  new nn.Linear(24, 3),
);
if (optimizer === 'Muon') model.freeze((_path, { shape }) => shape.length < 2); // a rule of matrices
const run = fit(model, samples, {
  loss: 'crossEntropy',
  optimizer: new optim[optimizer]({ lr: 0.01 }),
  metrics: ['accuracy'],
  epochs: 20,
  batchSize: 16,
  validation: 0.2,
  resume: 'auto',
  callbacks: [
    { name: 'start', onStart: ({ steps }) => print(`start ${steps}`) },
    new callbacks.Checkpoint({ directory, everySteps: 3, everyEpochs: 1, keepLast: 2 }),
  ],
});
for await (const event of run) if (event.type === 'checkpoint') print(`saved ${event.step}`);
await model.save(file);
const { epochs, steps } = await run;
print(`done ${JSON.stringify([steps, epochs.map(({ loss, accuracy, valLoss }) => [loss, accuracy, valLoss])])}`);
