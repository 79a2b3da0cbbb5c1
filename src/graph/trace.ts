import { checkFunction } from '../options.js';
import type { OpDef } from './op.js';
import type { State } from './state.js';
import type { Attrs, Tensor } from './tensor.js';

/** A host number read at each run: learning rates and the like, so that a change never recompiles. */
export interface Feed {
  /** Value for run `step` of a scan (0 for a single run). */
  read(step: number): number;
  /** Called when `steps` runs were issued; negative to take back those a failed scan never ran. */
  advance(steps: number): void;
}

/** A node as it was built: a realisation in the middle of a function turns the node itself into data. */
export interface Entry {
  readonly node: Tensor;
  readonly op: OpDef;
  readonly inputs: readonly Tensor[];
  readonly attrs: Attrs;
}

/** What `compile` records while it runs the user's function. */
export interface Trace {
  /** Nodes with a smaller id were made outside. */
  readonly startId: number;
  readonly reads: Map<State, Tensor>;
  readonly writes: Map<State, Tensor>;
  /** Random ops built so far; run r of the program uses stream indices base(r) .. base(r) + randomOps. */
  randomOps: number;
  /** Host values the trace depended on: the program is valid only while each still reads the same. */
  readonly guards: { read: () => unknown; value: unknown }[];
}

/** The graph's few mutable globals, one set per environment (a worker has its own module instance). */
export const graphState: {
  nextId: number;
  /** Realisations so far. */
  runs: number;
  scope: string;
  trace: Trace | null;
  /** Cells with a write that has not run, in order of first write. Empty inside a trace (see Trace.writes). */
  pending: Map<State, Tensor>;
  /** Unrealised nodes that the next run computes as well (`keep()`, long-lived chains). */
  readonly joinNext: Set<Tensor>;
  /** Where nodes are recorded for differentiation (see autodiff/reverse). */
  tape: Entry[] | null;
  /** How many `vmap`s are running their functions. */
  maps: number;
} = {
  nextId: 1,
  runs: 0,
  scope: '',
  trace: null,
  pending: new Map(),
  joinNext: new Set(),
  tape: null,
  maps: 0,
};

/** An unrealised chain that has lived through this many runs joins the next one, so `total = total.add(loss)` stays short. */
const MAX_AGE = 64;

/** Called for each node that has inputs, when it is built. */
export function noteBuilt(node: Tensor): void {
  if (graphState.trace === null && graphState.runs - node.epoch > MAX_AGE) graphState.joinNext.add(node);
  graphState.tape?.push({ node, op: node.op, inputs: node.inputs, attrs: node.attrs });
}

/** Runs `fn` with `name` appended to the module path that nodes remember for messages. */
export function withScope<T>(name: string, fn: () => T): T {
  checkFunction('withScope', 'fn', fn);
  const before = graphState.scope;
  graphState.scope = before === '' ? name : `${before}.${name}`;
  try {
    return fn();
  } finally {
    graphState.scope = before;
  }
}

/** Reads a host value that changes what is traced (`module.training`); a compiled program is re-traced when it changes. */
export function guarded<T>(read: () => T): T {
  checkFunction('guarded', 'read', read);
  const value = read();
  graphState.trace?.guards.push({ read, value });
  return value;
}
