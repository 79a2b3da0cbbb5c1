import { type DType, FormatError, type Shape, ShapeError, type State, type Tensor } from '../core.js';
import type { TensorData } from '../io/index.js';
import { checkFlag, checkOptions } from '../options.js';
import { sameShape } from '../shape.js';
import { showType } from './describe.js';

export interface LoadOptions {
  /** Default true: every key of the model must be there, and no other. */
  readonly strict?: boolean;
}

/** What `loadStateDict` and `load` passed over because of `strict: false`. */
export interface LoadReport {
  /** Paths of the model that kept their values. */
  readonly missing: readonly string[];
  /** Keys that the model does not have. */
  readonly unexpected: readonly string[];
}

/** What a file of this library says of itself. */
export const FORMAT_METADATA = { format: 'neurite', version: '1' } as const;

/** @throws FormatError when the file comes from a later version of this library. */
export function checkVersion(file: string, metadata: Readonly<Record<string, string>>): void {
  const { format, version } = FORMAT_METADATA;
  if (metadata['format'] !== format || metadata['version'] === version) return;
  const got = JSON.stringify(metadata['version'] ?? null);
  throw new FormatError(`load "${file}": got version ${got}, expected "${version}"; update neurite to read it`);
}

/** Copies of all parameters and buffers by path, as they are at the call. */
export async function tensorsOf(model: {
  stateDict(): Promise<Record<string, Tensor>>;
}): Promise<Map<string, TensorData>> {
  const out = new Map<string, TensorData>();
  for (const [path, t] of Object.entries(await model.stateDict())) {
    out.set(path, { dtype: t.dtype, shape: t.shape, data: await t.data() });
  }
  return out;
}

/**
 * Assigns to each cell the entry of its path, after checking them all; `toTensor` is called only for entries that fit.
 * @throws ShapeError listing everything that does not fit.
 */
export function loadInto<T extends { readonly shape: Shape; readonly dtype: DType }>(
  action: string,
  cells: ReadonlyMap<string, State>,
  entries: ReadonlyMap<string, T>,
  options: LoadOptions,
  toTensor: (entry: T) => Tensor,
): LoadReport {
  checkOptions(action, options, ['strict']);
  const { strict = true } = options;
  checkFlag(action, 'strict', strict);
  const missing = [...cells.keys()].filter((path) => !entries.has(path));
  const unexpected = [...entries.keys()].filter((path) => !cells.has(path));
  const wrong: string[] = [];
  for (const [path, cell] of cells) {
    const entry = entries.get(path);
    if (entry === undefined || (sameShape(entry.shape, cell.shape) && entry.dtype === cell.dtype)) continue;
    wrong.push(`${path} (got ${showType(entry)}, expected ${showType(cell)})`);
  }
  const problems = [list('wrong shape or dtype', wrong)];
  if (strict) problems.unshift(list('missing', missing), list('unexpected', unexpected));
  if (problems.some((p) => p !== '')) {
    const hint = strict && wrong.length === 0 ? '; pass { strict: false } to ignore missing and unexpected keys' : '';
    throw new ShapeError(`${action}: the tensors do not fit the model${problems.join('')}${hint}`);
  }
  for (const [path, cell] of cells) {
    const entry = entries.get(path);
    if (entry !== undefined) cell.assign(toTensor(entry));
  }
  return { missing, unexpected };
}

function list(what: string, items: readonly string[]): string {
  if (items.length === 0) return '';
  const more = items.length > MAX_LISTED ? ` and ${items.length - MAX_LISTED} more` : '';
  return `; ${what}: ${items.slice(0, MAX_LISTED).join(', ')}${more}`;
}

const MAX_LISTED = 20;
