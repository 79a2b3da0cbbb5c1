import {
  compile,
  type DType,
  type HostArray,
  itemSize,
  OptionError,
  type Shape,
  ShapeError,
  Tensor,
  tensor,
} from '../core.js';
import { Pipeline, type TensorDataset } from '../data/index.js';
import { hostView } from '../dtype.js';
import type { AnyModule, Module } from '../nn/index.js';
import { checkFunction, checkOptions, wholeNumber } from '../options.js';
import { sizeOf } from '../shape.js';
import { leaves, mapTree } from '../tree.js';
import { type Inputs, inputTable, Table, type TensorTree } from './batch.js';
import { inTraining } from './busy.js';
import { type Issued, Pace, StepFailure, valuesOf } from './chunks.js';
import { explain } from './diagnose.js';
import { EVALUATION_BATCH } from './evaluate.js';
import { type Program, RowFeed } from './feeds.js';
import { checkModel, forward, inMode } from './objective.js';
import { Form, RowSampler, type Sampler, StreamSampler } from './sampler.js';

export interface PredictOptions {
  /** Samples a step; default 256. A pipeline has its own batches. */
  readonly batchSize?: number;
}

/**
 * Outputs that are being computed: `await` gives them all as one tensor, `for await` batch by batch, in constant memory and no
 * faster than they are taken.
 */
export class Prediction<Out> implements PromiseLike<Out>, AsyncIterable<Out, void, void> {
  private readonly whole: Promise<Out>;
  private readonly batches: () => AsyncGenerator<Out, void, void>;
  private iterated = false;

  constructor(whole: () => Promise<Out>, batches: () => AsyncGenerator<Out, void, void>) {
    checkFunction('Prediction', 'whole', whole);
    checkFunction('Prediction', 'batches', batches);
    this.batches = batches;
    // One turn later it is known whether they are wanted one by one.
    this.whole = Promise.resolve().then(() => (this.iterated ? (new Promise(() => {}) as Promise<Out>) : whole()));
  }

  // biome-ignore lint/suspicious/noThenProperty: a prediction is awaited for its outputs
  then<A = Out, B = never>(
    onFulfilled?: ((out: Out) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.whole.then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Out | B> {
    return this.whole.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<Out> {
    return this.whole.finally(onFinally);
  }

  /** The outputs batch by batch. @throws OptionError the second time, or when they are awaited already. */
  [Symbol.asyncIterator](): AsyncGenerator<Out, void, void> {
    if (this.iterated) throw new OptionError('predict: the batches of a prediction can be read once');
    this.iterated = true;
    return this.batches();
  }
}

/**
 * Outputs of a model for many samples, in evaluation mode, batch by batch. The model's mode is put back. While a run trains the
 * model, awaited outputs are all of the same moment between two steps; those of an iteration are of one moment a batch.
 *
 * @param model any module from `[n, ...]` to `[n, ...]`.
 * @param x `[n, ...]`: a data set (its x, transformed), a tensor, arrays as `TensorDataset` takes them, an array or record of
 *   tensors for a model with several inputs, or a pipeline of batches.
 * @returns the outputs of all samples as one tensor `[n, ...]`; or, iterated with `for await`, one tensor a batch.
 * @throws DataError without samples; ShapeError when the model does not keep axis 0.
 * @example const classes = await (await predict(model, test)).argmax({ axis: -1 }).data();
 * @example for await (const outputs of predict(model, pipeline)) await write(await outputs.data());
 */
export function predict<Out = Tensor>(
  model: Module<never[], Out>,
  x: TensorDataset | Inputs | Pipeline<unknown>,
  options: PredictOptions = {},
): Prediction<Out> {
  let predictor: Predictor | null = null;
  const ready = (): Predictor => {
    predictor ??= new Predictor(model, x, options);
    return predictor;
  };
  return new Prediction<Out>(
    async () => (await ready().all()) as Out,
    async function* () {
      for await (const batch of ready().batches()) yield batch as Out;
    },
  );
}

interface Kind {
  readonly shape: Shape;
  readonly dtype: DType;
}

class Predictor {
  private readonly model: AnyModule;
  private readonly source: Table | Pipeline<unknown>;
  private readonly batchSize: number;
  private readonly program: Program;
  private readonly form: Form;
  private template: TensorTree = [];
  /** Of the outputs, without axis 0. */
  private kinds: readonly Kind[] = [];

  constructor(model: unknown, x: TensorDataset | Inputs | Pipeline<unknown>, options: PredictOptions) {
    checkModel('predict', model);
    checkOptions('predict', options, ['batchSize']);
    const size = wholeNumber('predict: batchSize', options.batchSize ?? EVALUATION_BATCH, 1);
    this.model = model;
    this.source = x instanceof Pipeline ? x : inputTable(x);
    this.batchSize = this.source instanceof Table ? Math.min(size, this.source.length) : size;
    this.form = new Form('predict', this.source);
    const step = compile((...flat: Tensor[]) => this.trace(model, flat));
    this.program = { step, add: null, accumulate: 1, inMode: (issue) => inMode(model, false, issue) };
  }

  /** The outputs of all samples. */
  async all(): Promise<TensorTree> {
    const { source, model } = this;
    const found: (readonly HostArray[])[] = [];
    if (source instanceof Table && inTraining.has(model)) {
      // Queued in one go: no step of the training comes in between.
      const feed = new RowFeed(this.program, source, await source.index.order(false), this.batchSize);
      const issued: Issued[] = [];
      for (let next = feed.issue(Infinity); next !== null; next = feed.issue(Infinity)) issued.push(next);
      const results = await this.explained(() => Promise.all(issued.map(async (i) => valuesOf(i))));
      found.push(...results);
    } else for await (const values of this.values()) found.push(values);
    const joined = this.kinds.map(({ dtype }, i) =>
      join(
        dtype,
        found.map((values) => values[i]),
      ),
    );
    return this.tree(joined);
  }

  /** The outputs of one batch after the other. */
  async *batches(): AsyncGenerator<TensorTree, void, void> {
    for await (const values of this.values(1)) yield this.tree(values);
  }

  /** Values of the outputs, of up to `limit` batches at a time (default: as many as make a good native call). */
  private async *values(limit?: number): AsyncGenerator<readonly HostArray[], void, void> {
    const { program, form, source } = this;
    const streamed = { where: 'predict', form, endless: false, labelled: false, targets: async (y: TensorTree) => y };
    const sampler: Sampler =
      source instanceof Table
        ? new RowSampler(source, program, { batchSize: this.batchSize, shuffle: false, endless: false })
        : new StreamSampler(source, program, streamed);
    const pace = new Pace();
    const queue: Promise<{ values: readonly HostArray[]; steps: number }>[] = [];
    const issue = async (): Promise<void> => {
      const issued = await sampler.issue(limit ?? pace.next());
      if (issued === null) return;
      const result = this.explained(async () => ({ values: await valuesOf(issued), steps: issued.steps }));
      result.catch(() => {});
      queue.push(result);
    };
    try {
      let last = performance.now();
      await issue();
      for (;;) {
        if (!sampler.atEnd) await issue(); // runs while the values of the one before are read
        const first = queue.shift();
        if (first === undefined) return;
        const { values, steps } = await first;
        pace.record(steps, performance.now() - last);
        yield values;
        last = performance.now();
      }
    } finally {
      await sampler.close();
    }
  }

  private async explained<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      throw await explain('predict', 'prediction', error, { model: this.model });
    }
  }

  private trace(model: AnyModule, flat: Tensor[]): Tensor[] {
    const outputs = forward(model, this.form.rowsOf(flat).x);
    const list = leaves(outputs) as Tensor[];
    for (const out of list) {
      if (!(out instanceof Tensor)) throw new OptionError(`predict: the model gives a ${typeof out}, expected tensors`);
      if (out.shape[0] === flat[0].shape[0]) continue;
      throw new ShapeError(
        `predict: ${flat[0].shape[0]} samples gave outputs [${out.shape}], expected as many in axis 0`,
      );
    }
    this.template = outputs;
    this.kinds = list.map(({ shape, dtype }) => ({ shape: shape.slice(1), dtype }));
    return list;
  }

  private tree(values: readonly HostArray[]): TensorTree {
    let next = 0;
    return mapTree(this.template, () => {
      const { shape, dtype } = this.kinds[next];
      const data = values[next++];
      const width = sizeOf(shape);
      const n = width === 0 ? 0 : data.length / width;
      return tensor(data, { shape: [n, ...shape], dtype });
    }) as TensorTree;
  }
}

function join(dtype: DType, parts: readonly HostArray[]): HostArray {
  const length = parts.reduce((sum, p) => sum + p.length, 0);
  const all = hostView(dtype, new ArrayBuffer(length * itemSize(dtype)), 0, length);
  let at = 0;
  for (const part of parts) {
    all.set(part as Float32Array, at);
    at += part.length;
  }
  return all;
}
