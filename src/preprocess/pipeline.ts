import { FormatError, OptionError } from '../core.js';
import { BagOfWords } from './bag-of-words.js';
import { LabelEncoder, OneHotEncoder, OrdinalEncoder } from './encoders.js';
import { Imputer } from './imputer.js';
import { Normalizer } from './normalizer.js';
import { PCA, Whitening } from './pca.js';
import { MeanCenterer, MinMaxScaler, RobustScaler, StandardScaler } from './scalers.js';
import { StateReader, type TransformerState } from './state.js';
import type { Like, TableInput } from './table.js';
import { TableEncoder } from './table-encoder.js';
import { Transformer } from './transformer.js';

/**
 * Transformers one after the other: each is fitted on what the ones before it give.
 *
 * @param steps at least one transformer of numbers.
 * @throws OptionError without steps.
 * @example
 * const prepare = await new preprocess.Pipeline([new preprocess.Imputer(), new preprocess.StandardScaler()]).fit(train);
 * const ready = await prepare.transform(test);
 * await writeFile('prepare.json', JSON.stringify(prepare));
 * @see scikit-learn, Pipeline.
 */
export class Pipeline {
  readonly steps: readonly Transformer[];

  constructor(steps: readonly Transformer[]) {
    if (!Array.isArray(steps) || steps.length === 0 || !steps.every((s) => s instanceof Transformer)) {
      throw new OptionError('Pipeline: expected at least one transformer, such as new preprocess.StandardScaler()');
    }
    this.steps = [...steps];
  }

  /** Learns from the training data, step by step. */
  async fit(x: TableInput): Promise<this> {
    await this.fitTransform(x);
    return this;
  }

  /** Applies every step. */
  async transform<T extends TableInput>(x: T): Promise<Like<T>> {
    let out: TableInput = x;
    for (const step of this.steps) out = await step.transform(out);
    return out as Like<T>;
  }

  /** `fit(x)`, then `transform(x)`. */
  async fitTransform<T extends TableInput>(x: T): Promise<Like<T>> {
    let out: TableInput = x;
    for (const step of this.steps) out = await step.fitTransform(out);
    return out as Like<T>;
  }

  /** Undoes every step, the last one first. @throws OptionError when one cannot be undone. */
  async inverse<T extends TableInput>(x: T): Promise<Like<T>> {
    let out: TableInput = x;
    for (const step of this.steps.toReversed()) out = await step.inverse(out);
    return out as Like<T>;
  }

  /** What all steps learnt, as plain JSON. */
  toJSON(): TransformerState {
    return { type: 'Pipeline', version: 1, steps: this.steps.map((s) => s.toJSON()) };
  }

  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): Pipeline {
    const steps = new StateReader('Pipeline', state).list('steps').map((s) => fromJSON(s as TransformerState));
    if (!Array.isArray(steps) || steps.length === 0 || !steps.every((s) => s instanceof Transformer)) {
      throw new FormatError('Pipeline.fromJSON: "steps" has something that is no transformer of numbers');
    }
    return new Pipeline(steps as Transformer[]);
  }
}

const TYPES = {
  MeanCenterer,
  StandardScaler,
  MinMaxScaler,
  RobustScaler,
  Normalizer,
  PCA,
  Whitening,
  Imputer,
  OneHotEncoder,
  OrdinalEncoder,
  LabelEncoder,
  TableEncoder,
  BagOfWords,
  Pipeline,
} as const;

/** Any of the transformers and encoders of this room. */
export type AnyTransformer = InstanceType<(typeof TYPES)[keyof typeof TYPES]>;

/**
 * The transformer or encoder that `toJSON` wrote, whichever it is.
 * @throws FormatError for a type nobody knows, naming it, or a field that is wrong.
 * @example const scaler = preprocess.fromJSON(JSON.parse(await readFile('scaler.json', 'utf8')));
 */
export function fromJSON(state: TransformerState): AnyTransformer {
  const type = state?.type;
  if (typeof type === 'string' && Object.hasOwn(TYPES, type)) {
    return TYPES[type as keyof typeof TYPES].fromJSON(state);
  }
  throw new FormatError(
    `preprocess.fromJSON: type is ${JSON.stringify(type) ?? 'missing'}, expected one of ${Object.keys(TYPES).join(', ')}`,
  );
}
