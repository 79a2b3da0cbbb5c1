import { compile, type Tensor } from '../core.js';
import type { AnyModule, Module } from '../nn/index.js';
import { checkOptions, wholeNumber } from '../options.js';
import { type DataLike, type Source, sourceOf, Table, type TensorTree } from './batch.js';
import { type Chunk, Pace, runPass, StepFailure } from './chunks.js';
import { explain } from './diagnose.js';
import type { Program } from './feeds.js';
import {
  checkModel,
  Figures,
  forwardWithLosses,
  inMode,
  OBJECTIVE_OPTIONS,
  Objective,
  type ObjectiveOptions,
} from './objective.js';
import { Form, RowSampler, StreamSampler } from './sampler.js';

export interface EvaluateOptions<Out = Tensor> extends ObjectiveOptions<Out> {
  /** Samples a step; changes speed and memory, and the results only by rounding. Default 256. */
  readonly batchSize?: number;
}

/** Samples a step of evaluation and prediction. */
export const EVALUATION_BATCH = 256;

/**
 * Loss and metrics of a model on a data set, in evaluation mode (dropout off), batch by batch. The model's mode is put back.
 *
 * @param model any module from `[n, ...]` to outputs the loss takes.
 * @param data a TensorDataset, `{ x, y }`, or a pipeline of batches, which is read once, in constant memory.
 * @returns means over all samples as plain numbers: `loss` and one figure for each metric.
 * @throws OptionError for unknown options and names; DataError naming the sample whose label is no class.
 * @example const { loss, accuracy } = await evaluate(model, test, { loss: 'crossEntropy', metrics: ['accuracy'] });
 */
export async function evaluate<Out = Tensor>(
  model: Module<never[], Out>,
  data: DataLike,
  options: EvaluateOptions<Out>,
): Promise<Record<string, number> & { loss: number }> {
  checkModel('evaluate', model);
  checkOptions('evaluate', options, [...OBJECTIVE_OPTIONS, 'batchSize']);
  const objective = new Objective('evaluate', options);
  const source = await objective.prepare(sourceOf('evaluate', data));
  const figures = await new Evaluation('evaluate', model, objective, source, options.batchSize).run();
  return figures as NonNullable<typeof figures>;
}

/** A compiled evaluation that can be run again, after each epoch. */
export class Evaluation {
  private readonly where: string;
  private readonly model: AnyModule;
  private readonly objective: Objective;
  private readonly source: Source;
  private readonly batchSize: number;
  private readonly form: Form;
  private readonly program: Program;
  private readonly pace = new Pace();
  private weighted = false;

  constructor(where: string, model: AnyModule, objective: Objective, source: Source, batchSize?: number) {
    const size = wholeNumber(`${where}: batchSize`, batchSize ?? EVALUATION_BATCH, 1);
    this.where = where;
    this.model = model;
    this.objective = objective;
    this.source = source;
    this.batchSize = source instanceof Table ? Math.min(size, source.length) : size;
    this.form = new Form(where, source);
    const step = compile((...flat: Tensor[]) => {
      const { x, y, weight } = this.form.rowsOf(flat);
      this.weighted = weight !== undefined;
      const [outputs, added] = forwardWithLosses(model, x);
      const targets = y as TensorTree;
      return [...objective.lossOf(outputs, targets, weight, added), ...objective.metricSums(outputs, targets)];
    });
    this.program = { step, add: null, accumulate: 1, inMode: (issue) => inMode(model, false, issue) };
  }

  /** The figures, or null when it was stopped. */
  async run(stopping: () => boolean = () => false): Promise<(Record<string, number> & { loss: number }) | null> {
    const { where, model, objective, program, pace, form, source } = this;
    const figures = new Figures(objective);
    const options = { where, form, endless: false, labelled: true, targets: (y: TensorTree) => objective.targets(y) };
    const sampler =
      source instanceof Table
        ? new RowSampler(source, program, { batchSize: this.batchSize, shuffle: false, endless: false })
        : new StreamSampler(source, program, options);
    const onChunk = (chunk: Chunk): void => figures.add(chunk, this.weighted); // known since the step was traced
    try {
      await runPass({ feed: sampler, pace, stopping, onChunk });
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error;
      throw await explain(where, 'evaluation', error, { model });
    } finally {
      await sampler.close();
    }
    return sampler.atEnd ? figures.read() : null;
  }
}
