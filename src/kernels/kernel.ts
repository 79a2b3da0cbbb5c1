import { type DType, type HostArray, knownDType } from '../dtype.js';
import { reachable } from '../engine/collect.js';
import { settings } from '../engine/settings.js';
import { DataError, OptionError, ShapeError, TraceError } from '../errors.js';
import { feedOp, inputLeaf } from '../graph/leaves.js';
import { streamKey, takeIndices } from '../graph/rng.js';
import { Tensor } from '../graph/tensor.js';
import { graphState, type Trace } from '../graph/trace.js';
import { checkFunction, checkList, checkOptions, shown } from '../options.js';
import { compileGraph, type ProgramSpec } from '../program/index.js';
import { native, type RunFailure } from '../runtime/native.js';
import { checkShape, type Shape, sameShape, sizeOf } from '../shape.js';
import { checkArrays, explain, type Slot } from './arrays.js';

/** Shape and element type of an array that a kernel takes. */
export interface ArraySpec {
  readonly shape: Shape;
  /** Default 'float32'. */
  readonly dtype?: DType;
  /** For messages; default `inputs[i]`. */
  readonly name?: string;
}

/** Options of {@link kernel}. */
export interface KernelOptions {
  /**
   * One entry a result: the number of the input it replaces, or null for an output array of its own. Default: all null.
   */
  readonly into?: readonly (number | null)[];
  /** Names of the results for messages; default `outputs[i]`. */
  readonly names?: readonly string[];
}

/** A computation compiled for fixed shapes; see {@link kernel}. */
export interface Kernel {
  /**
   * Reads `inputs`, writes `outputs` (results with `into` are written to their input), and returns when done.
   * @throws ShapeError when a length, OptionError when an element type, overlap or a detached or shared buffer is wrong.
   */
  (inputs: readonly HostArray[], outputs?: readonly HostArray[]): void;
  readonly inputs: readonly Required<ArraySpec>[];
  readonly outputs: readonly Required<ArraySpec>[];
  /** Estimate of floating-point operations a call. */
  readonly flops: number;
  /** The program, one line an instruction. */
  readonly listing: string;
}

/**
 * Compiles `fn` into a function on typed arrays: no tensors, no copies, no allocation at a call. It is fused, vectorised and
 * spread over the threads as everything in Neurite, with the same bits for any number of threads, and runs on the calling
 * thread once queued runs are done.
 *
 * @param inputs shape and dtype of each input, row-major and dense.
 * @param fn builds the results from one tensor an input; constants must be numbers.
 * @throws TraceError when `fn` uses tensors or cells that are not its inputs.
 * @example
 * const blend = kernel([{ shape: [4] }, { shape: [4] }], (x, y) => x.mul(0.5).add(y));
 * const out = new Float32Array(4);
 * blend([Float32Array.of(2, 4, 6, 8), Float32Array.of(1, 1, 1, 1)], [out]);
 * console.log(out); // Float32Array(4) [ 2, 3, 4, 5 ]
 */
export function kernel(
  inputs: readonly ArraySpec[],
  fn: (...inputs: readonly Tensor[]) => Tensor | readonly Tensor[],
  options: KernelOptions = {},
): Kernel {
  checkList('kernel', 'inputs', inputs, 'shapes and dtypes such as { shape: [4] }');
  checkFunction('kernel', 'fn', fn);
  checkOptions('kernel', options, ['into', 'names']);
  const { into, names } = options;
  if (into !== undefined) checkList('kernel', 'into', into, 'numbers of inputs and null');
  if (names !== undefined) checkList('kernel', 'names', names, 'names');
  const specs = inputs.map((spec, i) => {
    checkOptions(`kernel: inputs[${i}]`, spec, ['shape', 'dtype', 'name']);
    const { shape, dtype = 'float32', name } = spec;
    knownDType(`kernel: inputs[${i}]`, dtype);
    checkShape(name ?? `inputs[${i}]`, shape);
    return { shape: [...shape], dtype, name: name ?? `inputs[${i}]` };
  });
  const { placeholders, results, randomOps } = trace(specs, fn);
  const target = into ?? results.map(() => null);
  checkInto(target, results, specs);

  const nodes = reachable(results);
  for (const node of nodes) checkNode(node, placeholders);
  const used = new Set(nodes);
  const writes: { leaf: Tensor | null; value: Tensor; input: number }[] = [];
  const roots: Tensor[] = [];
  const outputs: Required<ArraySpec>[] = [];
  results.forEach((value, i) => {
    const input = target[i];
    if (input === null) {
      roots.push(value);
      outputs.push({ shape: value.shape, dtype: value.dtype, name: names?.[i] ?? `outputs[${i}]` });
    } else {
      const leaf = placeholders[input];
      writes.push({ leaf: used.has(leaf) ? leaf : null, value, input });
    }
  });
  const program = compileGraph({ nodes, roots, writes, rngBase: 0, fuse: !settings.eager });
  const handle = native.load(program.words);

  const written = new Set(writes.map((w) => w.input));
  const arrays: Slot[] = [
    ...specs.map((s, i) => ({ ...s, length: sizeOf(s.shape), written: written.has(i) })),
    ...outputs.map((s) => ({ ...s, length: sizeOf(s.shape), written: true })),
  ];
  const counters = new Int32Array(4);
  const sources = sourcesOf(program, nodes, writes, specs.length);
  const views: HostArray[] = new Array(sources.length);

  const call = (given: readonly HostArray[], out: readonly HostArray[] = []): void => {
    checkArrays(arrays, specs.length, given, out);
    for (let i = 0; i < sources.length; i++) {
      const s = sources[i];
      views[i] = s < 0 ? counters : s < specs.length ? given[s] : out[s - specs.length];
    }
    if (randomOps > 0) drawCounters(counters, randomOps);
    let failure: RunFailure | undefined;
    try {
      failure = native.runViews(handle, views);
    } catch (error) {
      throw explain(arrays, [...given, ...out]) ?? error;
    } finally {
      views.fill(counters); // keeps nobody's memory alive
    }
    if (failure !== undefined) throw runError(program, failure);
  };
  return Object.defineProperty(Object.assign(call, { inputs: specs, outputs, flops: program.flops }), 'listing', {
    get: () => program.listing,
  }) as unknown as Kernel;
}

/** Runs `fn` on placeholders as `compile` does, but leaves nothing behind. */
function trace(specs: readonly Required<ArraySpec>[], fn: Parameters<typeof kernel>[1]) {
  const outer = graphState.trace;
  const own: Trace = { startId: graphState.nextId, reads: new Map(), writes: new Map(), randomOps: 0, guards: [] };
  graphState.trace = own;
  try {
    const placeholders = specs.map(({ shape, dtype }, i) => inputLeaf(i, shape, dtype));
    const made = fn(...placeholders);
    const results = Array.isArray(made) ? (made as readonly Tensor[]) : [made as Tensor];
    for (const made of results) {
      if (made instanceof Tensor) continue;
      throw new OptionError(`kernel: the function returned ${shown(made)}, expected a tensor or an array of tensors`);
    }
    if (own.writes.size > 0 || own.reads.size > 0) {
      throw new TraceError('kernel: the function uses a State or Parameter; pass its data as an input');
    }
    if (new Set(results).size !== results.length) {
      throw new TraceError('kernel: a tensor is returned twice; return each result once');
    }
    return { placeholders, results, randomOps: own.randomOps };
  } finally {
    graphState.trace = outer;
  }
}

function checkNode(node: Tensor, placeholders: readonly Tensor[]): void {
  if (node.op === feedOp) throw new TraceError('kernel: host scalars have no place in a kernel; pass them as an input');
  const foreign = node.storage !== null || (node.op.name === 'input' && !placeholders.includes(node));
  if (foreign || node.op.name === 'state') {
    throw new TraceError(
      `kernel: the function uses a tensor [${node.shape}] that is not one of its inputs; pass its data as an input`,
    );
  }
}

function checkInto(
  into: readonly (number | null)[],
  results: readonly Tensor[],
  specs: readonly Required<ArraySpec>[],
): void {
  if (into.length !== results.length) {
    throw new OptionError(
      `kernel: into has ${into.length} entries, expected one for each of ${results.length} results`,
    );
  }
  const taken = new Set<number>();
  into.forEach((input, i) => {
    if (input === null) return;
    const spec = specs[input];
    if (spec === undefined || taken.has(input)) {
      throw new OptionError(`kernel: into[${i}] is ${String(input)}, expected another input below ${specs.length}`);
    }
    taken.add(input);
    const { shape, dtype } = results[i];
    if (!sameShape(shape, spec.shape) || dtype !== spec.dtype) {
      throw new ShapeError(`kernel: result ${i} is ${dtype} [${shape}], its input ${spec.dtype} [${spec.shape}]`);
    }
  });
}

/** For each slot the number of its array, inputs first, then outputs; -1 for the random counter. */
function sourcesOf(
  program: ProgramSpec,
  nodes: readonly Tensor[],
  writes: readonly { readonly input: number }[],
  inputs: number,
): number[] {
  return program.slots.map((slot) => {
    switch (slot.kind) {
      case 'leaf':
        return nodes[slot.node].attrs.index as number;
      case 'write':
        return writes[slot.write].input;
      case 'root':
        return inputs + slot.root;
      default:
        return -1;
    }
  });
}

function drawCounters(counters: Int32Array, count: number): void {
  const [low, high] = streamKey('ops');
  const index = takeIndices('ops', count);
  counters[0] = low;
  counters[1] = high;
  counters[2] = index;
  counters[3] = Math.floor(index / 2 ** 32);
}

function runError(program: ProgramSpec, failure: RunFailure): Error {
  const op = program.instructions[failure.instruction]?.op ?? 'kernel';
  const message = `${op}: ${failure.message}`;
  if (failure.code === 'memory') return new RangeError(`${message}; raise configure({ memoryLimit })`);
  const { step, position, value } = failure;
  return new DataError(message, { op, module: '', step, position, value });
}
