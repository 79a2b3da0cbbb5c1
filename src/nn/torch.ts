import { FormatError, OptionError, type Shape, Tensor } from '../core.js';
import { readSafetensors, type TensorData, withFile, writeSafetensors } from '../io/index.js';
import { checkObject, checkOptions, checkPath } from '../options.js';
import { sameShape } from '../shape.js';
import { checkModule } from './describe.js';
import { type LoadReport, tensorsOf } from './load.js';
import type { AnyModule, Module } from './module.js';
import { imageAxes, reorder } from './torch-order.js';

export interface TorchNames {
  /**
   * Beginnings of names in PyTorch, and what stands for each in the model: `{ 'backbone.': '0.' }`. The longest that fits is
   * used, once a name; a name that none fits stays.
   */
  readonly prefixes?: Readonly<Record<string, string>>;
  /**
   * Shape of the model's input, batch included, as `summary` takes it. Models with convolutions and dense layers need it: PyTorch
   * flattens images channels first, so the weights that meet a flattened image are put into the other order.
   */
  readonly inputShape?: Shape;
}

export interface ImportTorchOptions extends TorchNames {
  /** Default true: every tensor of the model must be in the file, and no other. */
  readonly strict?: boolean;
}

/**
 * Sets a model's parameters and buffers from a PyTorch `state_dict`, in a safetensors file or as tensors by name. Layouts are the
 * same, but for dense layers behind (or before) a flattened image, whose weights are reordered; the last part of a name changes
 * from `running_mean` to `runningMean`; int64 counters become int32 and half-precision weights float32.
 *
 * In Python: `safetensors.torch.save_file(model.state_dict(), 'model.safetensors')`. Pickled `.pt` files hold code and are
 * refused.
 *
 * @param source path of the file, or the tensors.
 * @param options `prefixes`, `strict`, `inputShape`.
 * @returns the missing and unexpected names, as the model calls them.
 * @throws FormatError for a pickled or damaged file; ShapeError listing what does not fit the model, which is then unchanged;
 *   OptionError when two names become one, or for a model with convolutions and dense layers without `inputShape`.
 * @example await nn.importTorch(model, 'lenet.safetensors', { inputShape: [1, 28, 28, 1] });
 */
export async function importTorch(
  model: AnyModule,
  source: string | Readonly<Record<string, Tensor>>,
  options: ImportTorchOptions = {},
): Promise<LoadReport> {
  const where = typeof source === 'string' ? `importTorch "${source}"` : 'importTorch';
  checkModule(where, model);
  if (typeof source !== 'string') checkObject(where, source, 'tensors by name, or the path of a file');
  checkOptions(where, options, ['prefixes', 'strict', 'inputShape']);
  const { prefixes = {}, strict = true, inputShape } = options;
  const tensors = typeof source === 'string' ? await fileTensors(where, source) : await valuesOf(where, source);
  const named = rename(where, tensors, Object.entries(prefixes), toCamel);
  return model.loadTensors(reorderImages(where, model, named, inputShape, false), { strict });
}

async function fileTensors(where: string, file: string): Promise<ReadonlyMap<string, TensorData>> {
  await refusePickle(where, file);
  return (await readSafetensors(file)).tensors;
}

async function valuesOf(
  where: string,
  dict: Readonly<Record<string, Tensor>>,
): Promise<ReadonlyMap<string, TensorData>> {
  const out = new Map<string, TensorData>();
  for (const [name, t] of Object.entries(dict)) {
    if (!(t instanceof Tensor)) throw new OptionError(`${where}: "${name}" is not a tensor; wrap it in tensor(…)`);
    out.set(name, { dtype: t.dtype, shape: t.shape, data: await t.data() });
  }
  return out;
}

/**
 * Writes a model's parameters and buffers under PyTorch's names and in its order, for
 * `load_state_dict(safetensors.torch.load_file(file))`.
 * @param options `prefixes`, read from right to left, and `inputShape`: the same record serves both ways.
 * @throws OptionError when two names become one, or for a model with convolutions and dense layers without `inputShape`;
 *   NeuriteError when the file cannot be written.
 * @example await nn.exportTorch(model, 'for-torch.safetensors');
 */
export async function exportTorch(model: AnyModule, file: string, options: TorchNames = {}): Promise<void> {
  checkModule('exportTorch', model);
  checkPath('exportTorch', 'file', file);
  const where = `exportTorch "${file}"`;
  checkOptions(where, options, ['prefixes', 'inputShape']);
  const back = Object.entries(options.prefixes ?? {}).map(([torch, ours]) => [ours, torch] as const);
  const tensors = reorderImages(where, model, await tensorsOf(model), options.inputShape, true);
  await writeSafetensors(file, rename(where, tensors, back, toSnake), { format: 'pt' });
}

/** The tensors with the axes that meet flattened images in the other library's order. */
function reorderImages(
  where: string,
  model: AnyModule,
  tensors: ReadonlyMap<string, TensorData>,
  inputShape: Shape | undefined,
  toTorch: boolean,
): ReadonlyMap<string, TensorData> {
  if (inputShape === undefined) {
    checkNeedsNoShape(where, model);
    return tensors;
  }
  const axes = imageAxes(where, model as Module, inputShape);
  const out = new Map(tensors);
  for (const [path, cell] of [...model.namedParameters(), ...model.namedBuffers()]) {
    for (const axis of axes.get(cell) ?? []) {
      const given = out.get(path);
      // What does not fit is for the model to say.
      if (given !== undefined && sameShape(given.shape, cell.shape)) out.set(path, reorder(given, axis, toTorch));
    }
  }
  return out;
}

/** Without running it nobody knows which dense layer sees a flattened image. */
function checkNeedsNoShape(where: string, model: AnyModule): void {
  const weights = [...model.namedParameters()].filter(([path]) => /(^|\.)(weight|original1?)$/.test(path));
  if (weights.some(([, p]) => p.shape.length > 2) && weights.some(([, p]) => p.shape.length === 2)) {
    throw new OptionError(
      `${where}: ${model.label} has convolutions and dense layers; give inputShape, batch included, such as { inputShape: [1, 28, 28, 1] }: PyTorch flattens images channels first, and the weights behind it have to follow`,
    );
  }
}

function rename(
  where: string,
  tensors: ReadonlyMap<string, TensorData>,
  prefixes: readonly (readonly [from: string, to: string])[],
  leaf: (name: string) => string,
): Map<string, TensorData> {
  const longestFirst = [...prefixes].sort(([a], [b]) => b.length - a.length);
  const out = new Map<string, TensorData>();
  for (const [name, tensor] of tensors) {
    const found = longestFirst.find(([from]) => name.startsWith(from));
    const path = found === undefined ? name : found[1] + name.slice(found[0].length);
    const dot = path.lastIndexOf('.') + 1;
    const made = path.slice(0, dot) + leaf(path.slice(dot));
    if (out.has(made)) throw new OptionError(`${where}: two tensors would be called "${made}"; change prefixes`);
    out.set(made, tensor);
  }
  return out;
}

function toCamel(name: string): string {
  return name.replace(/(?<=[a-z0-9])_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function toSnake(name: string): string {
  return name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** Files of `torch.save` are zip archives, or pickles themselves. */
async function refusePickle(where: string, file: string): Promise<void> {
  const start = await withFile(file, async (handle) => {
    const bytes = Buffer.alloc(4);
    const { bytesRead } = await handle.read(bytes, 0, 4, 0);
    return bytes.toString('latin1', 0, bytesRead);
  });
  if (start === 'PK\x03\x04' || start[0] === '\x80') {
    throw new FormatError(
      `${where}: this is a pickled file of torch.save, which can hold code; convert it in Python: safetensors.torch.save_file(model.state_dict(), 'model.safetensors')`,
    );
  }
}
