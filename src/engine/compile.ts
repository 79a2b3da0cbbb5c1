import type { DType } from '../dtype.js';
import { DataError, OptionError, ShapeError, TraceError } from '../errors.js';
import { dataLeaf, dataOp, inputLeaf, stateOp } from '../graph/leaves.js';
import { streamKey, takeIndices } from '../graph/rng.js';
import { State } from '../graph/state.js';
import { NO_ATTRS, Tensor } from '../graph/tensor.js';
import { graphState, type Trace } from '../graph/trace.js';
import { alias, take } from '../ops/index.js';
import { checkFunction, checkList, checkOptions, shown } from '../options.js';
import type { HostStorage } from '../runtime/storage.js';
import { type Shape, sameShape } from '../shape.js';
import { leaves, mapTree, treeKey } from '../tree.js';
import { bind } from './bind.js';
import { loadProgram, type Write } from './cache.js';
import { checkLeaf, reachable } from './collect.js';
import { tensor } from './create.js';
import { Frame } from './frame.js';
import { storageFor } from './methods.js';
import { enqueue, runNow } from './queue.js';
import { becomeLeaf, realizeNow } from './realize.js';
import { settings } from './settings.js';

/** Input of {@link Compiled.scan}: `steps` calls whose arguments are rows gathered from `data`. */
export interface ScanInput {
  /** One tensor per argument of the function; axis 0 is indexed. */
  readonly data: readonly Tensor[];
  /** `steps * batch` row numbers, step by step. */
  readonly indices: Int32Array;
  /** Rows a step. */
  readonly batch: number;
  /** Further float32 scalar arguments of the function: one array of length `steps` each. */
  readonly scalars?: readonly ArrayLike<number>[];
}

/** A function that was traced into one native program. */
export interface Compiled<A extends readonly unknown[], R> {
  /** Queues one run and returns at once; results are tensors to await. Runs execute in call order. */
  (...args: A): R;
  /** The same on this thread. */
  sync(...args: A): R;
  /**
   * Runs the function `indices.length / batch` times in one native call, with `take(data[i], indices of the step)` as its
   * arguments. Every result gets a leading axis of that length. The run stops at the first step that fails, with the state
   * as the last good step left it.
   */
  scan(input: ScanInput): R;
  /** How often the function was traced. */
  readonly traces: number;
}

interface Program {
  readonly key: string;
  /** The arguments it was traced for, when they are tensors and nothing else: compared without building a key. */
  readonly flat: readonly { readonly shape: Shape; readonly dtype: DType }[] | null;
  /** Made by the first run on this thread. */
  frame: Frame | null;
  readonly trace: Trace;
  readonly nodes: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly writes: readonly Write[];
  readonly loaded: ReturnType<typeof loadProgram>;
  readonly result: unknown;
}

const MAX_CONSTANTS = 16;

/**
 * Traces `fn` once per structure of its arguments and turns everything it does, updates of parameters and optimizer slots
 * included, into one native program. Tensors are arguments, other values are constants of the program; state cells and
 * captured tensors are read at each call; learning rates and random numbers are inputs, so a schedule never recompiles.
 *
 * @param fn builds tensors only; it must not be async nor ask for a value.
 * @throws TraceError from a call when `fn` is async or reads a value while it is traced.
 * @example
 * const double = compile((x: Tensor) => x.mul(2));
 * console.log(await double(tensor([1, 2])).data()); // Float32Array [2, 4]
 */
export function compile<A extends readonly unknown[], R>(fn: (...args: A) => R): Compiled<A, R> {
  checkFunction('compile', 'fn', fn);
  const programs: Program[] = [];
  let latest: Program | null = null;
  let traces = 0;
  let warned = false;

  const programOf = (key: string, args: () => unknown[], call: (args: unknown[]) => unknown): Program => {
    const hit = programs.find((p) => p.key === key && holds(p.trace));
    if (hit !== undefined) {
      latest = hit;
      return hit;
    }
    traces++;
    const program = traceProgram(key, args(), call);
    programs.push(program);
    latest = program;
    if (programs.length > MAX_CONSTANTS && !warned) {
      warned = true;
      process.emitWarning(
        `compile: "${fn.name || 'anonymous'}" was traced ${programs.length} times; its shapes or constant arguments keep ` +
          'changing. Pass changing numbers as tensors and keep shapes equal.',
        'NeuriteWarning',
      );
    }
    return program;
  };

  const run = (args: A, sync: boolean): R => {
    // Part of a larger trace, or being differentiated or mapped: the graph is what is wanted.
    if (graphState.trace !== null || graphState.tape !== null) return fn(...args);
    if (sync && latest !== null && isFlat(args, latest) && holds(latest.trace)) return runFlat(latest, args) as R;
    const tensors = leaves(args).filter(isValue).map(nodeOf);
    realizeNow(tensors, sync);
    let next = 0;
    const inputs = () => {
      next = 0;
      return mapTree(args, (x) => (isValue(x) ? placeholder(next++, nodeOf(x)) : x)) as unknown[];
    };
    const program = programOf(treeKey(args, describe), inputs, (a) => fn(...(a as unknown as A)));
    return execute(
      program,
      tensors.map((t) => argument(t, program, sync)),
      1,
      sync,
    ) as R;
  };

  const scan = (input: ScanInput): R => {
    checkOptions('scan', input, ['data', 'indices', 'batch', 'scalars']);
    const { data, indices, batch, scalars = [] } = input;
    const steps = checkScan(input);
    realizeNow(data, false);
    const index = tensor(indices, { shape: [steps, batch], dtype: 'int32' });
    const extra = scalars.map((s) => tensor(Float32Array.from(s), { dtype: 'float32' }));
    const inputs = () => [
      ...data.map((d, i) => placeholder(i, d)),
      inputLeaf(data.length, [batch], 'int32', true),
      ...extra.map((_, i) => inputLeaf(data.length + 1 + i, [], 'float32', true)),
    ];
    const call = (a: unknown[]) => {
      const rows = a[data.length] as Tensor;
      const batchArgs = data.map((_, i) => take(a[i] as Tensor, rows));
      return fn(...([...batchArgs, ...a.slice(data.length + 1)] as unknown as A));
    };
    const key = `scan ${batch} ${scalars.length} ${treeKey(data, describe)}`;
    const program = programOf(key, inputs, call);
    return execute(program, [...data, index, ...extra].map(storageOf), steps, false) as R;
  };

  return Object.defineProperty(
    Object.assign((...args: A) => run(args, false), { sync: (...args: A) => run(args, true), scan }),
    'traces',
    { get: () => traces },
  ) as Compiled<A, R>;
}

/** Whether everything the trace asked the host still gets the same answer. */
function holds(trace: Trace): boolean {
  for (const { read, value } of trace.guards) if (!Object.is(read(), value)) return false;
  return true;
}

/** Whether the arguments are tensors only, of the shapes and dtypes the program was traced for. */
function isFlat(args: readonly unknown[], { flat }: Program): boolean {
  if (flat === null || args.length !== flat.length) return false;
  for (let i = 0; i < args.length; i++) {
    const x = args[i];
    if (!(x instanceof Tensor) || x.dtype !== flat[i].dtype || !sameShape(x.shape, flat[i].shape)) return false;
  }
  return true;
}

/** A run on this thread with nothing to find out: what a loop over small batches does all the time. */
function runFlat(program: Program, args: readonly unknown[]): unknown {
  const tensors = args as readonly Tensor[];
  realizeNow(tensors, true); // pending writes made outside come first, too
  for (const node of program.nodes) if (node.op === stateOp && node.attrs.version !== -1) checkLeaf(node);
  if (program.frame === null || !program.frame.fits()) program.frame = Frame.of(program);
  const storages: HostStorage[] = [];
  for (const t of tensors) storages.push(argument(t, program, true));
  if (program.frame === null) return execute(program, storages, 1, true);
  const results = program.frame.run(storages);
  graphState.runs++;
  for (const { cell } of program.writes) {
    cell.version += 1;
    cell.settle(cell.storage as HostStorage, cell.version);
  }
  return resultOf(program, results, 1);
}

function isValue(x: unknown): x is Tensor | State {
  return x instanceof Tensor || x instanceof State;
}

function nodeOf(x: unknown): Tensor {
  return x instanceof State ? x.read() : (x as Tensor);
}

function storageOf(t: Tensor): HostStorage {
  if (t.storage !== null) return t.storage as HostStorage;
  checkLeaf(t);
  return (t.attrs.cell as State).storage as HostStorage;
}

/** Memory of an argument; a cell that the program replaces is passed as a copy of its value now. */
function argument(t: Tensor, program: Program, sync: boolean): HostStorage {
  const storage = storageOf(t);
  for (const { cell } of program.writes) if (cell.storage === storage) return storageFor(alias(t), sync);
  return storage;
}

function placeholder(index: number, t: Tensor): Tensor {
  return inputLeaf(index, t.shape, t.dtype);
}

function describe(x: unknown): string {
  if (isValue(x)) return `${x.dtype}[${x.shape}]`;
  if (typeof x === 'function' || typeof x === 'symbol' || (typeof x === 'object' && x !== null)) {
    throw new OptionError(
      `compile: an argument is ${typeof x === 'object' ? `a ${x.constructor?.name ?? 'object'}` : `a ${typeof x}`}; ` +
        'pass tensors, numbers, strings, booleans or arrays and plain objects of them, and capture everything else',
    );
  }
  return typeof x === 'string' ? JSON.stringify(x) : Object.is(x, -0) ? '-0' : String(x);
}

/** Runs the function on placeholders and compiles what it built. */
function traceProgram(key: string, args: unknown[], call: (args: unknown[]) => unknown): Program {
  const trace: Trace = {
    startId: graphState.nextId,
    reads: new Map(),
    writes: new Map(),
    randomOps: 0,
    guards: [],
  };
  graphState.trace = trace;
  let result: unknown;
  try {
    result = call(args);
  } finally {
    graphState.trace = null;
  }
  if (typeof (result as PromiseLike<unknown> | null)?.then === 'function') {
    throw new TraceError('compile: the function is async; it must build its result synchronously');
  }
  result = mapTree(result, (x) => (x instanceof State ? stateValue(trace, x) : x));
  const outputs = [...new Set(leaves(result).filter((x): x is Tensor => x instanceof Tensor))];
  // Lazy tensors made before the trace are captured values: they are computed once, now.
  const all = [...outputs, ...trace.writes.values()];
  realizeNow(captured(all, trace), false);
  const nodes = reachable(all);
  for (const node of nodes) if (node.op === stateOp && trace.writes.has(node.attrs.cell as State)) snapshot(node);
  const used = new Set(nodes);
  const writes = [...trace.writes].map(([cell, value]) => {
    const old = trace.reads.get(cell);
    return { cell, leaf: old !== undefined && used.has(old) ? old : null, value };
  });
  const loaded = loadProgram({ nodes, roots: outputs, writes, rngBase: 0, fuse: !settings.eager });
  const flat = args.every((x) => x instanceof Tensor) && !key.startsWith('scan ') ? (args as Tensor[]) : null;
  return { key, flat, frame: null, trace, nodes, outputs, writes, loaded, result };
}

/** A cell's value read before the trace, which the program will overwrite: a constant from now on. */
function snapshot(node: Tensor): void {
  if (node.attrs.version === -1 || node.storage !== null) return;
  const storage = storageFor(alias(node), false);
  becomeLeaf(node, dataOp, NO_ATTRS);
  node.storage = storage;
}

function stateValue(trace: Trace, cell: State): Tensor {
  const node = trace.writes.get(cell) ?? trace.reads.get(cell);
  if (node === undefined) throw new TraceError('compile: a cell that was never read was returned; return cell.read()');
  return node;
}

/** Nodes at the border of the trace: made before it, not realised, used inside. */
function captured(roots: readonly Tensor[], trace: Trace): Tensor[] {
  const outside = new Set<Tensor>();
  for (const node of reachable(roots)) {
    for (const x of [node, ...node.inputs]) {
      if (x.id < trace.startId && x.storage === null && x.inputs.length > 0) outside.add(x);
    }
  }
  return [...outside];
}

function execute(program: Program, args: readonly HostStorage[], steps: number, sync: boolean): unknown {
  const { trace, nodes, outputs, writes } = program;
  realizeNow([], sync); // pending writes made outside come first
  for (const node of nodes) if (node.op === stateOp && node.attrs.version !== -1) checkLeaf(node);
  const perStep = trace.randomOps;
  const base = perStep === 0 ? 0 : takeIndices('ops', perStep * steps);
  const random = { key: streamKey('ops'), base, perStep };
  const call = bind(program.loaded, { nodes, roots: outputs, writes, args, steps, random });
  if (sync) runNow(call);
  else enqueue(call);
  graphState.runs++;
  for (const { cell, storage } of call.cells) {
    cell.version += 1;
    cell.settle(storage, cell.version);
  }
  return resultOf(program, call.outputs, steps);
}

/** What the function returned, with values in place of nodes. */
function resultOf(program: Program, storages: readonly HostStorage[], steps: number): unknown {
  const values = program.outputs.map((node, i) => {
    return dataLeaf(stacked(node.shape, steps, program), node.dtype, storages[i]);
  });
  return program.result === program.outputs[0]
    ? values[0]
    : mapTree(program.result, (x) => (x instanceof Tensor ? values[program.outputs.indexOf(x)] : x));
}

function stacked(shape: Shape, steps: number, program: Program): Shape {
  return program.key.startsWith('scan ') ? [steps, ...shape] : shape;
}

function checkScan({ data, indices, batch, scalars = [] }: ScanInput): number {
  checkList('scan', 'data', data, 'tensors');
  checkList('scan', 'scalars', scalars, 'lists of numbers');
  if (!(indices instanceof Int32Array)) {
    throw new OptionError(`scan: indices is ${shown(indices)}, expected an Int32Array`);
  }
  if (!Number.isInteger(batch) || batch < 1) {
    throw new OptionError(`scan: batch is ${shown(batch)}, expected a whole number >= 1`);
  }
  const steps = indices.length / batch;
  if (indices.length === 0 || !Number.isInteger(steps)) {
    throw new DataError(`scan: ${indices.length} indices do not make whole steps of ${batch}`);
  }
  for (const d of data) {
    if (!(d instanceof Tensor)) throw new OptionError(`scan: data has ${shown(d)}, expected tensors`);
    if (d.shape.length === 0) throw new ShapeError('scan: data must have an axis 0 to take rows from, got a scalar');
  }
  for (const s of scalars) {
    if (s.length !== steps) throw new DataError(`scan: a scalar argument has ${s.length} values, expected ${steps}`);
  }
  return steps;
}
