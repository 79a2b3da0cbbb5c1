import { FormatError, info, type JsonValue, OptionError, randomState, restoreRandomState } from '../core.js';
import { readSafetensors, writeSafetensors } from '../io/index.js';
import { parseExact, stringifyExact } from '../json.js';
import { checkObject, checkOptions, checkPath, shown } from '../options.js';
import { type AnyTransformer, fromJSON, type TransformerState } from '../preprocess/index.js';
import { checkModule, showType } from './describe.js';
import { checkVersion, FORMAT_METADATA, tensorsOf } from './load.js';
import type { AnyModule, Module } from './module.js';
import { decodeModule, encodeModule, layerClasses, type ModuleClass, type Registry } from './module-config.js';

/** One fitted transformer or encoder, or several by name. */
export type Preprocessing = AnyTransformer | Readonly<Record<string, AnyTransformer>>;

export interface SaveModelOptions {
  /** What was done to the data before the model sees it: fitted transformers. */
  readonly preprocessing?: Preprocessing;
  /** Names of the classes, in the order of the outputs. */
  readonly classes?: readonly string[];
  /** Names for layers of your own; without, the names of their classes. */
  readonly registry?: Registry;
}

export interface LoadModelOptions {
  /** The classes of layers of your own by name: a file names layers and holds no code. */
  readonly registry?: Registry;
}

export interface LoadedModel<M extends AnyModule = Module> {
  /** In evaluation mode; `model.train()` to train it further. */
  readonly model: M;
  readonly preprocessing: Preprocessing | null;
  readonly classes: readonly string[] | null;
  /** Version of Neurite that wrote the file. */
  readonly library: string;
}

/**
 * Writes a whole model to one safetensors file, atomically: parameters and buffers, and in the header what the layers are, the
 * preprocessing and the names of the classes. `model.load` and PyTorch read its tensors as they read any.
 *
 * That the file makes the same model again is checked before anything is written.
 *
 * @param options `preprocessing`, `classes`, `registry`.
 * @throws OptionError naming a layer without config(), or whose config() makes another layer; NeuriteError when the file cannot
 *   be written.
 * @example await nn.saveModel(model, 'iris.safetensors', { preprocessing: scaler, classes: ['setosa', 'versicolor'] });
 */
export async function saveModel(model: AnyModule, file: string, options: SaveModelOptions = {}): Promise<void> {
  checkModule('saveModel', model);
  checkPath('saveModel', 'file', file);
  const where = `saveModel "${file}"`;
  checkOptions(where, options, ['preprocessing', 'classes', 'registry']);
  const { preprocessing, classes, registry } = options;
  if (classes !== undefined && !(Array.isArray(classes) && classes.every((c) => typeof c === 'string'))) {
    throw new OptionError(`${where}: classes is ${shown(classes)}, expected an array of strings`);
  }
  if (registry !== undefined) checkObject(`${where}: registry`, registry, 'classes by name');
  if (preprocessing !== undefined) checkObject(`${where}: preprocessing`, preprocessing, 'fitted transformers by name');
  const encoded = encodeModule(model, registry);
  checkRebuilds(where, model, encoded.config, encoded.classes);
  const metadata: Record<string, string> = {
    ...FORMAT_METADATA,
    library: info().version,
    config: stringifyExact(`${where}: config`, encoded.config),
  };
  if (preprocessing !== undefined) metadata['preprocessing'] = stringifyExact(where, stateOf(where, preprocessing));
  if (classes !== undefined) metadata['classes'] = JSON.stringify(classes);
  await writeSafetensors(file, await tensorsOf(model), metadata);
}

/**
 * Reads a model that {@link saveModel} wrote. Only layers of this library and of `registry` are made; nothing in the file is run.
 * @typeParam M class of the model, a module from tensor to tensor unless stated.
 * @returns the model in evaluation mode, its preprocessing and classes, null where the file has none.
 * @throws FormatError naming the file and what in it is damaged or unknown; NeuriteError when it cannot be read.
 * @example
 * const { model, preprocessing, classes } = await nn.loadModel('iris.safetensors');
 * const scores = await model.forward(await preprocessing.transform(x)).data();
 */
export async function loadModel<M extends AnyModule = Module>(
  file: string,
  options: LoadModelOptions = {},
): Promise<LoadedModel<M>> {
  checkPath('loadModel', 'file', file);
  const where = `loadModel "${file}"`;
  checkOptions(where, options, ['registry']);
  const { tensors, metadata } = await readSafetensors(file);
  checkVersion(file, metadata);
  if (metadata['config'] === undefined) {
    throw new FormatError(
      `${where}: the file has tensors, but does not say which layers they belong to; make the model and call model.load(file)`,
    );
  }
  const known = new Map([...layerClasses(), ...Object.entries(options.registry ?? {})]);
  const model = decodeModule(where, jsonOf(where, metadata, 'config'), known);
  checkCells(where, model, tensors, (message) => new FormatError(message));
  await model.loadTensors(tensors);
  return {
    model: model.eval() as M,
    preprocessing: preprocessingOf(where, metadata),
    classes: classesOf(where, metadata),
    library: metadata['library'] ?? '',
  };
}

/** Makes the model from its configuration and compares; random streams stay as they are. */
function checkRebuilds(
  where: string,
  model: AnyModule,
  config: JsonValue,
  classes: ReadonlyMap<string, ModuleClass>,
): void {
  const random = randomState();
  try {
    const again = decodeModule(where, config, classes);
    const cells = new Map([...model.namedParameters(), ...model.namedBuffers()]);
    checkCells(where, again, cells, (message) => {
      const hint = 'a config() does not describe its module, or a layer was replaced after construction';
      return new OptionError(`${message}: ${hint}`);
    });
  } catch (error) {
    throw error instanceof FormatError ? new OptionError(error.message) : error;
  } finally {
    restoreRandomState(random);
  }
}

/** Throws what `error` makes unless the model has exactly these tensors. */
function checkCells(
  where: string,
  model: AnyModule,
  tensors: ReadonlyMap<string, Parameters<typeof showType>[0]>,
  error: (message: string) => Error,
): void {
  const cells = new Map([...model.namedParameters(), ...model.namedBuffers()]);
  for (const path of new Set([...cells.keys(), ...tensors.keys()])) {
    const [made, given] = [cells.get(path), tensors.get(path)].map((t) => (t === undefined ? 'nothing' : showType(t)));
    if (made !== given)
      throw error(`${where}: the configuration makes ${made} for "${path}", the tensors have ${given}`);
  }
}

function stateOf(where: string, preprocessing: Preprocessing): JsonValue {
  if (isTransformer(preprocessing)) return preprocessing.toJSON();
  const entries = Object.entries(preprocessing);
  for (const [name, t] of entries) {
    if (!isTransformer(t)) {
      throw new OptionError(`${where}: preprocessing "${name}" is ${String(t)}, expected a fitted transformer`);
    }
  }
  return Object.fromEntries(entries.map(([name, t]) => [name, t.toJSON()]));
}

function isTransformer(x: unknown): x is AnyTransformer {
  return typeof x === 'object' && x !== null && 'toJSON' in x && typeof x.toJSON === 'function';
}

function jsonOf(where: string, metadata: Readonly<Record<string, string>>, key: string): JsonValue {
  try {
    return parseExact(metadata[key]);
  } catch (error) {
    throw new FormatError(`${where}: "${key}" is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function preprocessingOf(where: string, metadata: Readonly<Record<string, string>>): Preprocessing | null {
  if (metadata['preprocessing'] === undefined) return null;
  const state = jsonOf(where, metadata, 'preprocessing');
  if (typeof state !== 'object' || state === null || Array.isArray(state)) {
    throw new FormatError(`${where}: "preprocessing" is ${shown(state)}, expected an object`);
  }
  const record = state as Readonly<Record<string, JsonValue>>;
  if (typeof record['type'] === 'string') return fromJSON(record as unknown as TransformerState);
  return Object.fromEntries(
    Object.entries(record).map(([name, s]) => [name, fromJSON(s as unknown as TransformerState)]),
  );
}

function classesOf(where: string, metadata: Readonly<Record<string, string>>): readonly string[] | null {
  if (metadata['classes'] === undefined) return null;
  const classes = jsonOf(where, metadata, 'classes');
  if (Array.isArray(classes) && classes.every((c) => typeof c === 'string')) return classes as readonly string[];
  throw new FormatError(`${where}: "classes" is ${JSON.stringify(classes).slice(0, 60)}, expected an array of strings`);
}
