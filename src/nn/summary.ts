import {
  type DType,
  Parameter,
  randomState,
  restoreRandomState,
  type Shape,
  type State,
  Tensor,
  zeros,
} from '../core.js';
import { checkOptions } from '../options.js';
import { sizeOf } from '../shape.js';
import { showShape } from './describe.js';
import type { AnyModule, Module } from './module.js';

export interface SummaryOptions {
  /** dtype of the input (default float32). */
  readonly dtype?: DType;
}

/** While a summary is made: what each module returned. */
let outputs: Map<AnyModule, unknown> | null = null;

/** Called by every module after its forward. */
export function noteForward(module: AnyModule, out: unknown): void {
  outputs?.set(module, out);
}

/** The table of `Module.summary`. */
export function summarize(
  root: Module<never[], unknown>,
  modules: ReadonlyMap<string, AnyModule>,
  cells: ReadonlyMap<string, State>,
  inputShape: Shape | undefined,
  options: SummaryOptions,
): string {
  checkOptions('summary', options, ['dtype']);
  const { dtype = 'float32' } = options;
  const shapes = inputShape === undefined ? null : outputShapes(root, inputShape, dtype);
  const own = new Map<AnyModule, Parameter[]>();
  let trainable = 0;
  let frozen = 0;
  let buffers = 0;
  for (const [path, cell] of cells) {
    const n = sizeOf(cell.shape);
    if (!(cell instanceof Parameter)) {
      buffers += n;
      continue;
    }
    if (cell.requiresGrad) trainable += n;
    else frozen += n;
    const owner = ownerOf(path, modules);
    own.set(owner, [...(own.get(owner) ?? []), cell]);
  }
  const rows = [...modules].map(([path, m]) => {
    const held = own.get(m) ?? [];
    const count = held.reduce((n, p) => n + sizeOf(p.shape), 0);
    const note = held.length > 0 && held.every((p) => !p.requiresGrad) ? ' (frozen)' : '';
    const row = [path === '' ? '(model)' : path, `${String(m)}${note}`];
    if (shapes !== null) row.push(shapes.get(m) ?? '(not called)');
    return [...row, show(count)];
  });
  const header = ['path', 'layer', ...(shapes === null ? [] : ['output shape']), 'parameters'];
  const totals = [
    `total parameters: ${show(trainable + frozen)}`,
    `trainable: ${show(trainable)}`,
    `frozen: ${show(frozen)}`,
  ];
  if (buffers > 0) totals.push(`buffers: ${show(buffers)}`);
  return `${table([header, ...rows])}\n${totals.join(', ')}`;
}

function outputShapes(root: Module<never[], unknown>, inputShape: Shape, dtype: DType): Map<AnyModule, string> {
  const all = outputsOf(root as unknown as Module, zeros(inputShape, { dtype }));
  return new Map([...all].map(([m, out]) => [m, showOutput(out)]));
}

/** Builds the forward graph: what each module returned. The random counters are put back, so that looking changes no later draw. */
export function outputsOf(root: Module, x: Tensor): Map<AnyModule, unknown> {
  const before = randomState();
  const met = new Map<AnyModule, unknown>();
  outputs = met;
  try {
    root.forward(x);
    return met;
  } finally {
    outputs = null;
    if (randomState().counters.ops !== before.counters.ops) restoreRandomState(before);
  }
}

function showOutput(out: unknown): string {
  if (out instanceof Tensor) return showShape(out.shape);
  if (Array.isArray(out)) return out.map(showOutput).join(' ');
  return typeof out;
}

/** The module with the longest path that `path` lies under. */
function ownerOf(path: string, modules: ReadonlyMap<string, AnyModule>): AnyModule {
  for (let end = path.lastIndexOf('.'); end > 0; end = path.lastIndexOf('.', end - 1)) {
    const m = modules.get(path.slice(0, end));
    if (m !== undefined) return m;
  }
  return modules.get('') as AnyModule;
}

function show(n: number): string {
  return n.toLocaleString('en-US');
}

/** Columns padded to equal width; the last one to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const last = rows[0].length - 1;
  const widths = rows[0].map((_, c) => Math.max(...rows.map((r) => r[c].length)));
  const line = (r: readonly string[]) =>
    r.map((s, c) => (c === last ? s.padStart(widths[c]) : s.padEnd(widths[c]))).join('  ');
  const rule = '-'.repeat(widths.reduce((n, w) => n + w, 2 * last));
  return [line(rows[0]), rule, ...rows.slice(1).map(line), rule].join('\n');
}
