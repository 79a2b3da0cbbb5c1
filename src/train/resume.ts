import { basename, dirname, resolve } from 'node:path';
import { flush, info, NeuriteError, OptionError, type RandomState, randomState, type Tensor, tensor } from '../core.js';
import { CheckpointDirectory, type LoadedCheckpoint, type TensorData } from '../io/index.js';
import type { JsonValue } from '../json.js';
import type { AnyModule } from '../nn/index.js';
import type { EMA, Optimizer } from '../optim/index.js';
import type { Callback } from './callback.js';
import type { EpochRecord } from './events.js';

/** What must be the same when a run goes on; a change would make the saved position mean something else. */
export interface RunConfig {
  readonly optimizer: string;
  readonly batchSize: number | null;
  readonly accumulate: number;
  readonly shuffle: boolean;
  readonly ema: boolean;
  readonly stepsPerEpoch: number | null;
  readonly samples: number | null;
  /** Steps of the augmentation, when there is one. */
  readonly augment: string | null;
}

/** Of an epoch that is not finished. */
export interface EpochState {
  readonly steps: number;
  readonly seconds: number;
  readonly figures: JsonValue;
}

/** All of a run that is not tensors. */
export interface RunState {
  readonly format: 1;
  readonly steps: number;
  readonly samples: number;
  readonly seconds: number;
  readonly history: readonly EpochRecord[];
  readonly random: RandomState;
  /** Random state when the run began, before a share for validation was drawn. */
  readonly began: RandomState;
  readonly sampler: JsonValue;
  readonly epoch: EpochState | null;
  readonly callbacks: { readonly [name: string]: JsonValue };
  readonly learningRate: JsonValue;
  readonly config: RunConfig;
  readonly machine: { readonly library: string; readonly isa: string; readonly vendor: string };
}

const FORMAT = 1;

/** The machine and library of this process: what makes bits. */
function machine(): RunState['machine'] {
  const { version, isa, vendor } = info();
  return { library: version, isa, vendor };
}

/** The parts of a state that are the same for every run; the session adds its own. */
export function commonState(): Pick<RunState, 'format' | 'random' | 'machine'> {
  return { format: FORMAT, random: randomState(), machine: machine() };
}

/** What has tensors that a checkpoint keeps. */
export interface Trained {
  readonly model: AnyModule;
  readonly optimizer: Optimizer;
  readonly ema: EMA | null;
  readonly callbacks: readonly Callback[];
}

/** Copies, queued now, of everything that is tensors. */
export function copyTensors({ model, optimizer, ema, callbacks }: Trained): Promise<ReadonlyMap<string, Tensor>> {
  const parameters = model.stateDict();
  const slots = optimizer.stateDict();
  const averages = ema?.stateDict();
  const own = callbacks.flatMap((c) =>
    [...(c.tensors?.() ?? [])].map(([key, t]) => [`callback.${c.name}.${key}`, t] as const),
  );
  return (async () => {
    const all = new Map<string, Tensor>();
    for (const [path, t] of Object.entries(await parameters)) all.set(`model.${path}`, t);
    for (const [key, t] of Object.entries(await slots)) all.set(`optimizer.${key}`, t);
    for (const [key, t] of Object.entries((await averages) ?? {})) all.set(`ema.${key}`, t);
    for (const [key, t] of own) all.set(key, t);
    return all;
  })();
}

/** The values of copies, as a file holds them. */
export async function valuesOf(copies: Promise<ReadonlyMap<string, Tensor>>): Promise<ReadonlyMap<string, TensorData>> {
  const out = new Map<string, TensorData>();
  for (const [name, t] of await copies) out.set(name, { dtype: t.dtype, shape: t.shape, data: await t.data() });
  return out;
}

/** The checkpoint to go on from, null for a fresh start. */
export async function findCheckpoint(option: string, callbacks: readonly Callback[]): Promise<LoadedCheckpoint | null> {
  let path = option;
  if (option === 'auto') {
    const own = callbacks.map((c) => c.directory).find((d) => d !== undefined);
    if (own === undefined) {
      throw new OptionError("fit: resume is 'auto' and there is no callback Checkpoint; add one, or give a path");
    }
    path = own;
  }
  const one = /^step-(\d+)\.\d+$/.exec(basename(resolve(path)));
  const directory = new CheckpointDirectory(one === null ? path : dirname(resolve(path)));
  const found = await directory.load(one === null ? 'latest' : Number(one[1]));
  if (found === null && option !== 'auto') {
    throw new OptionError(
      `fit: resume is "${option}", which holds no checkpoint; 'auto' starts afresh when there is none`,
    );
  }
  for (const { reason } of found?.skipped ?? []) {
    process.emitWarning(`fit: resuming from step ${found?.step}, passing over: ${reason}`, 'NeuriteWarning');
  }
  return found;
}

/** The state of a checkpoint, checked against this run. */
export function stateOf({ state, path }: LoadedCheckpoint): RunState {
  const saved = state as unknown as RunState | null;
  if (typeof saved !== 'object' || saved === null || saved.format !== FORMAT || typeof saved.config !== 'object') {
    const got = typeof saved === 'object' && saved !== null ? JSON.stringify(saved.format ?? null) : typeof saved;
    throw new NeuriteError('ERR_FORMAT', `fit: resume "${path}": got a state of format ${got}, expected ${FORMAT}`);
  }
  return saved;
}

/** Throws unless a run of `config` can go on from the state; warns when its bits may differ. */
export function checkConfig(path: string, { config: saved, machine: then }: RunState, config: RunConfig): void {
  for (const key of Object.keys(config) as (keyof RunConfig)[]) {
    if ((saved[key] ?? null) === config[key]) continue; // older files lack some
    throw new OptionError(
      `fit: resume "${path}": the checkpoint was made with ${key} ${saved[key]}, this run has ${config[key]}; use the same, ` +
        'or start a new run from its model with model.loadStateDict',
    );
  }
  const now = machine();
  const other = (Object.keys(now) as (keyof typeof now)[]).filter((key) => then[key] !== now[key]);
  if (other.length === 0) return;
  const what = other.map((key) => `${key} ${then[key]} (here ${now[key]})`).join(', ');
  process.emitWarning(
    `fit: resume "${path}": made with ${what}; the run goes on, its last bits may differ from an uninterrupted one`,
    'NeuriteWarning',
  );
}

/** Gives model, optimizer and callbacks what the checkpoint holds. @throws ShapeError for another model. */
export async function restoreTensors(
  tensors: ReadonlyMap<string, TensorData>,
  { callbacks: states }: RunState,
  { model, optimizer, ema, callbacks }: Trained,
): Promise<void> {
  const under = (prefix: string): Record<string, Tensor> => {
    const out: Record<string, Tensor> = {};
    for (const [name, { data, shape, dtype }] of tensors) {
      if (name.startsWith(prefix)) out[name.slice(prefix.length)] = tensor(data, { shape, dtype });
    }
    return out;
  };
  model.loadStateDict(under('model.'));
  await optimizer.loadStateDict(under('optimizer.'));
  ema?.loadStateDict(under('ema.'));
  for (const callback of callbacks) {
    const state = states[callback.name];
    if (state === undefined) continue;
    callback.loadStateDict?.(state, new Map(Object.entries(under(`callback.${callback.name}.`))));
  }
  await flush();
}

interface Stateful {
  stateDict(): JsonValue;
  loadStateDict(state: JsonValue): void;
}

function isStateful(x: unknown): x is Stateful {
  return typeof x === 'function' && 'stateDict' in x && 'loadStateDict' in x;
}

/** The rates an optimizer has: its own and those of its groups. */
function ratesOf({ lr, groups }: Optimizer): unknown[] {
  return [lr, ...groups.map((g) => g.lr)];
}

/** Learning rates that a run may have changed, and the state of schedules that have one. */
export function learningRateState(optimizer: Optimizer, first: number | null): JsonValue {
  return {
    first,
    now: typeof optimizer.lr === 'number' ? optimizer.lr : null,
    schedules: ratesOf(optimizer).map((lr) => (isStateful(lr) ? lr.stateDict() : null)),
  };
}

/** A rate that was changed during the run is taken over, one that the program itself now gives otherwise stands. */
export function restoreLearningRate(optimizer: Optimizer, state: JsonValue): void {
  const { first, now, schedules } = state as {
    readonly first: number | null;
    readonly now: number | null;
    readonly schedules: readonly JsonValue[];
  };
  if (now !== null && optimizer.lr === first) optimizer.lr = now;
  for (const [i, lr] of ratesOf(optimizer).entries()) {
    const saved = schedules[i] ?? null;
    if (saved !== null && isStateful(lr)) lr.loadStateDict(saved);
  }
}
