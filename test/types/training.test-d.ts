// What the compiler says to users of fit, data sets, losses, optimizers and metrics. Nothing here runs.
import { describe, expectTypeOf, test } from 'vitest';
import {
  data,
  type EpochRecord,
  evaluate,
  fit,
  type History,
  type Loss,
  type LossName,
  lossByName,
  metrics,
  nn,
  optim,
  predict,
  type Run,
  type RunEvent,
  type Tensor,
  tensor,
} from '../../src/index.js';

const model = new nn.Linear(2, 1);
const x = tensor([[0, 1]]);
const y = tensor([[1]]);
const loss: LossName = 'mse';

describe('names', () => {
  test('are literals, so that a typing mistake does not compile', () => {
    expectTypeOf<'mse' | 'crossEntropy' | 'binaryCrossEntropy'>().toExtend<LossName>();
    expectTypeOf<string>().not.toExtend<LossName>();
    expectTypeOf<'sgd' | 'adam' | 'adamw' | 'rmsprop' | 'adagrad'>().toExtend<optim.OptimizerName>();
    expectTypeOf<string>().not.toExtend<optim.OptimizerName>();
    expectTypeOf<string>().not.toExtend<metrics.MetricName>();
    expectTypeOf<'accuracy'>().toExtend<metrics.MetricName>();
    expectTypeOf(lossByName('mse')).toEqualTypeOf<Loss>();
    expectTypeOf(optim.optimizerByName('adamw', { lr: 0.1 })).toEqualTypeOf<optim.Optimizer>();
    // @ts-expect-error crossEntropy has a capital E
    lossByName('crossentropy');
    // @ts-expect-error 'Adam' is the class, the name is lower case
    optim.optimizerByName('Adam');
    // @ts-expect-error nobody knows this metric
    metrics.metricByName('acuracy');
  });
});

describe('fit', () => {
  test('takes names, objects and functions, and gives a run', () => {
    const run = fit(model, { x, y }, { loss: 'mse', optimizer: 'sgd' });
    expectTypeOf(run).toEqualTypeOf<Run>();
    expectTypeOf<Awaited<Run>>().toEqualTypeOf<History>();
    expectTypeOf<Run>().toExtend<AsyncIterable<RunEvent>>();
    expectTypeOf<Run>().toExtend<PromiseLike<History>>();
    fit(model, new data.TensorDataset([[1, 2]], [1]), {
      loss: (outputs, targets) => {
        expectTypeOf(outputs).toEqualTypeOf<Tensor>();
        return outputs.sub(targets).square().mean();
      },
      optimizer: new optim.Adam({ lr: (step) => 1 / (1 + step), betas: [0.9, 0.99] }),
      metrics: ['accuracy', metrics.topKAccuracy(3)],
      validation: 0.2,
      signal: new AbortController().signal,
      onEpoch: async (record) => {
        expectTypeOf(record).toEqualTypeOf<EpochRecord>();
      },
      onProgress: (event) => expectTypeOf(event.secondsLeft).toEqualTypeOf<number | null>(),
    });
  });

  test('refuses wrong names, kinds and options', () => {
    // @ts-expect-error the loss is misspelt
    fit(model, { x, y }, { loss: 'mes', optimizer: 'sgd' });
    // @ts-expect-error a class is no optimizer: new is missing
    fit(model, { x, y }, { loss, optimizer: optim.Adam });
    // @ts-expect-error the optimizer is missing
    fit(model, { x, y }, { loss });
    // @ts-expect-error the loss is missing
    fit(model, { x, y }, { optimizer: 'adam' });
    // @ts-expect-error there is no option epoch
    fit(model, { x, y }, { loss, optimizer: 'adam', epoch: 3 });
    // @ts-expect-error a number, not a text
    fit(model, { x, y }, { loss, optimizer: 'adam', epochs: '3' });
    // @ts-expect-error targets are missing
    fit(model, { x }, { loss, optimizer: 'adam' });
    // @ts-expect-error a function is no module
    fit((v: Tensor) => v, { x, y }, { loss, optimizer: 'adam' });
    // @ts-expect-error the metric is misspelt
    fit(model, { x, y }, { loss, optimizer: 'adam', metrics: ['accurcy'] });
    // @ts-expect-error exactOptionalPropertyTypes: leave it out instead
    fit(model, { x, y }, { loss, optimizer: 'adam', epochs: undefined });
  });

  test('events are told apart by their type', () => {
    const look = (event: RunEvent): number => {
      switch (event.type) {
        case 'start':
          return event.stepsPerEpoch ?? 0;
        case 'progress':
          return event.secondsLeft ?? 0;
        case 'checkpoint':
          return event.step;
        case 'epoch':
          return event.record.loss + event.record['accuracy'];
        case 'end':
          expectTypeOf(event.history.stopped).toEqualTypeOf<'done' | 'aborted' | 'stopped'>();
          return event.history.steps;
      }
    };
    expectTypeOf(look).returns.toBeNumber();
    const rewrite = (record: EpochRecord): void => {
      // @ts-expect-error records are read only
      record.loss = 0;
    };
    expectTypeOf(rewrite).parameter(0).toEqualTypeOf<EpochRecord>();
  });
});

describe('evaluate and predict', () => {
  test('promise figures and tensors', () => {
    const figures = evaluate(model, { x, y }, { loss: 'mse', metrics: ['meanAbsoluteError'] });
    expectTypeOf(figures).resolves.toExtend<{ loss: number }>();
    expectTypeOf(predict(model, x)).resolves.toEqualTypeOf<Tensor>();
    // @ts-expect-error an evaluation has no epochs
    evaluate(model, { x, y }, { loss: 'mse', epochs: 2 });
  });
});

describe('data sets', () => {
  test('take tensors, nested arrays, typed arrays and shaped arrays', () => {
    const { TensorDataset } = data;
    new TensorDataset(x, y);
    new TensorDataset([[1, 2]], Int32Array.of(1));
    new TensorDataset({ data: new Uint8Array(4), shape: [2, 2] }, [0, 1], { transform: (v) => v.cast('float32') });
    // @ts-expect-error texts are no numbers
    new TensorDataset([['1']], [1]);
    // @ts-expect-error a shaped array needs its shape
    new TensorDataset({ data: new Uint8Array(4) }, [0]);
    // @ts-expect-error targets are missing
    new TensorDataset(x);
    // @ts-expect-error a transform gives a tensor
    new TensorDataset(x, y, { transform: () => [1] });
    // @ts-expect-error BigInt64Array is no array of numbers
    new TensorDataset(new BigInt64Array(1), y);
  });

  test('parts are data sets, batches are pairs of tensors', () => {
    const set = new data.TensorDataset(x, y);
    expectTypeOf(set.split(0.5)).toEqualTypeOf<data.TensorDataset[]>();
    expectTypeOf(set.split([1, 2], { seed: 1, shuffle: false })).toEqualTypeOf<data.TensorDataset[]>();
    expectTypeOf(set.map((v) => v.neg())).toEqualTypeOf<data.TensorDataset>();
    expectTypeOf(set.subset([0])).toEqualTypeOf<data.TensorDataset>();
    expectTypeOf(set.batches({ batchSize: 2 })).toExtend<AsyncIterable<[Tensor, Tensor]>>();
    expectTypeOf(set.rows).toEqualTypeOf<Int32Array | null>();
    // @ts-expect-error batchSize has a capital S
    set.batches({ batchsize: 2 });
    // @ts-expect-error read only
    set.x = y;
  });
});

describe('optimizers', () => {
  test('check their options', () => {
    new optim.SGD({ lr: 0.1, momentum: 0.9, nesterov: true, groups: [{ params: (p) => p.endsWith('bias'), lr: 0 }] });
    // @ts-expect-error SGD has no betas
    new optim.SGD({ betas: [0.9, 0.999] });
    // @ts-expect-error two betas
    new optim.Adam({ betas: [0.9] });
    // @ts-expect-error lr, as everywhere
    new optim.AdamW({ learningRate: 0.1 });
    // @ts-expect-error the base is abstract
    new optim.Optimizer();
  });
});
