import type { HostArray } from '../dtype.js';
import { creationStack, debugging } from '../graph/debug.js';
import { stateOp } from '../graph/leaves.js';
import type { State } from '../graph/state.js';
import type { Tensor } from '../graph/tensor.js';
import type { Feed } from '../graph/trace.js';
import type { ProgramSpec } from '../program/index.js';
import type { NativeProgram } from '../runtime/native.js';
import { allocate, checkArena, HostStorage } from '../runtime/storage.js';
import type { Write } from './cache.js';
import { type Call, type CallCell, type Origin, reportUnseen } from './queue.js';

/** What a program needs from outside for one call. */
export interface Bindings {
  readonly nodes: readonly Tensor[];
  readonly roots: readonly Tensor[];
  readonly writes: readonly Write[];
  /** Storage of `input` leaves by their index (compiled functions). */
  readonly args: readonly HostStorage[];
  readonly steps: number;
  /** Philox key, first stream index, and indices used by a step. */
  readonly random: { readonly key: readonly [number, number]; readonly base: number; readonly perStep: number } | null;
}

/** Finds or makes the memory of every slot. Changes nothing outside: cells get their version when the call is accepted. */
export function bind(program: { spec: ProgramSpec; handle: NativeProgram }, b: Bindings): Call {
  const { spec, handle } = program;
  checkArena(spec.arenaBytes, b.nodes);
  const outputs: HostStorage[] = [];
  for (const r of b.roots) outputs.push(allocate(r.shape, r.dtype, b.steps));
  for (const node of b.nodes) if (node.op === stateOp && node.storage === null) reportUnseen(node.attrs.cell as State);
  const cells: CallCell[] = [];
  for (const { cell, value } of b.writes) {
    const fresh = cell.storage === null;
    const storage = fresh ? allocate(cell.shape, cell.dtype) : (cell.storage as HostStorage);
    cells.push({ cell, storage, fresh, value: value.inputs.length > 0 ? value : null });
  }
  const feeds: Feed[] = [];
  const storages: HostStorage[] = [];
  for (const slot of spec.slots) {
    switch (slot.kind) {
      case 'leaf':
        storages.push(leafStorage(b.nodes[slot.node], b.args));
        break;
      case 'write':
        storages.push(cells[slot.write].storage);
        break;
      case 'root':
        storages.push(outputs[slot.root]);
        break;
      case 'feed': {
        const feed = b.nodes[slot.node].attrs.feed as Feed;
        feeds.push(feed);
        storages.push(scalars(b.steps, feed));
        break;
      }
      case 'rng':
        storages.push(randomCounters(b));
        break;
      default:
        slot satisfies never;
    }
  }
  return { program: handle, origins: originsOf(spec, b.nodes), storages, outputs, cells, feeds, steps: b.steps };
}

function leafStorage(node: Tensor, args: readonly HostStorage[]): HostStorage {
  if (node.storage !== null) return node.storage as HostStorage;
  if (node.op === stateOp) return (node.attrs.cell as State).storage as HostStorage;
  return args[node.attrs.index as number];
}

function scalars(steps: number, feed: Feed): HostStorage {
  const storage = new HostStorage(8 * steps);
  const view = storage.view('float64');
  for (let k = 0; k < steps; k++) view[k] = feed.read(k);
  return storage;
}

/** The four words a random instruction reads: key and stream index. */
export function writeCounter(view: HostArray, at: number, key: readonly [number, number], index: number): void {
  view[at] = key[0] | 0;
  view[at + 1] = key[1] | 0;
  view[at + 2] = index | 0;
  view[at + 3] = Math.floor(index / 2 ** 32) | 0;
}

function randomCounters(b: Bindings): HostStorage {
  const { key, base, perStep } = b.random as NonNullable<Bindings['random']>;
  const storage = new HostStorage(16 * b.steps);
  const view = storage.view('int32');
  for (let k = 0; k < b.steps; k++) {
    const index = base + k * perStep;
    writeCounter(view, 4 * k, key, index);
  }
  return storage;
}

/** Op and module path of each instruction and, when debugging, where the first such node was made. */
export function originsOf(spec: ProgramSpec, nodes: readonly Tensor[]): readonly Origin[] {
  if (!debugging) return spec.instructions;
  return spec.instructions.map(({ op, scope }) => {
    const node = nodes.find((n) => n.op.name === op && n.scope === scope);
    return { op, scope, stack: node === undefined ? '' : creationStack(node) };
  });
}
