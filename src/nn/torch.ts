import { FormatError, OptionError } from '../core.js';
import { readSafetensors, type TensorData, withFile, writeSafetensors } from '../io/index.js';
import { checkOptions } from '../options.js';
import { type LoadReport, tensorsOf } from './load.js';
import type { AnyModule } from './module.js';

export interface TorchNames {
  /**
   * Beginnings of names in PyTorch, and what stands for each in the model: `{ 'backbone.': '0.' }`. The longest that fits is
   * used, once a name; a name that none fits stays.
   */
  readonly prefixes?: Readonly<Record<string, string>>;
}

export interface ImportTorchOptions extends TorchNames {
  /** Default true: every tensor of the model must be in the file, and no other. */
  readonly strict?: boolean;
}

/**
 * Sets a model's parameters and buffers from a PyTorch `state_dict` in a safetensors file. Layouts are the same; the last part
 * of a name changes from `running_mean` to `runningMean`; int64 counters become int32 and half-precision weights float32.
 *
 * In Python: `safetensors.torch.save_file(model.state_dict(), 'model.safetensors')`. Pickled `.pt` files hold code and are
 * refused.
 *
 * @param options `prefixes`, `strict`.
 * @returns the missing and unexpected names, as the model calls them.
 * @throws FormatError for a pickled or damaged file; ShapeError listing what does not fit the model, which is then unchanged;
 *   OptionError when two names become one.
 * @example await nn.importTorch(model, 'resnet.safetensors', { prefixes: { 'module.': '' } });
 */
export async function importTorch(
  model: AnyModule,
  file: string,
  options: ImportTorchOptions = {},
): Promise<LoadReport> {
  const where = `importTorch "${file}"`;
  checkOptions(where, options, ['prefixes', 'strict']);
  const { prefixes = {}, strict = true } = options;
  await refusePickle(where, file);
  const { tensors } = await readSafetensors(file);
  const named = rename(where, tensors, Object.entries(prefixes), toCamel);
  return model.loadTensors(named, { strict });
}

/**
 * Writes a model's parameters and buffers under PyTorch's names, for `load_state_dict(safetensors.torch.load_file(file))`.
 * @param options `prefixes`, read from right to left: the same record serves both ways.
 * @throws OptionError when two names become one; NeuriteError when the file cannot be written.
 * @example await nn.exportTorch(model, 'for-torch.safetensors');
 */
export async function exportTorch(model: AnyModule, file: string, options: TorchNames = {}): Promise<void> {
  const where = `exportTorch "${file}"`;
  checkOptions(where, options, ['prefixes']);
  const back = Object.entries(options.prefixes ?? {}).map(([torch, ours]) => [ours, torch] as const);
  const named = rename(where, await tensorsOf(model), back, toSnake);
  await writeSafetensors(file, named, { format: 'pt' });
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
