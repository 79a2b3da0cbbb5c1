import { inputOp, stateOp } from '../graph/leaves.js';
import { streamKey, takeIndices } from '../graph/rng.js';
import type { State } from '../graph/state.js';
import type { Tensor } from '../graph/tensor.js';
import type { Feed } from '../graph/trace.js';
import type { ProgramSpec } from '../program/index.js';
import { type Memory, type NativeFrame, type NativeProgram, native } from '../runtime/native.js';
import { allocate, checkArena, HostStorage } from '../runtime/storage.js';
import { originsOf, writeCounter } from './bind.js';
import type { Write } from './cache.js';
import { drain, reportUnseen, stopped } from './queue.js';

interface Program {
  readonly loaded: { readonly spec: ProgramSpec; readonly handle: NativeProgram };
  readonly nodes: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly writes: readonly Write[];
  readonly trace: { readonly randomOps: number };
}

/**
 * A compiled program whose cells, constants and host numbers are bound once, for single runs on this thread: what is left
 * of binding at a run are the arguments and the results. Whoever runs it checks `fits()` first.
 */
export class Frame {
  private readonly program: Program;
  private readonly handle: NativeFrame;
  /** One per slot; null where a run puts an argument or a result. */
  private readonly storages: readonly (HostStorage | null)[];
  private readonly cells: readonly { readonly cell: State; readonly storage: HostStorage }[];
  private readonly feeds: readonly { readonly feed: Feed; readonly value: Float64Array }[];
  private readonly counter: Int32Array | null;
  /** Per open slot: the argument's index, or ~ the result's. */
  private readonly open: readonly number[];

  /** The frame of a program whose cells all have memory; null when one has not. */
  static of(program: Program): Frame | null {
    const unborn = (n: Tensor) => n.op === stateOp && n.storage === null && (n.attrs.cell as State).storage === null;
    return program.nodes.some(unborn) || program.writes.some((w) => w.cell.storage === null)
      ? null
      : new Frame(program);
  }

  private constructor(program: Program) {
    const { nodes, writes, loaded } = program;
    const storages: (HostStorage | null)[] = [];
    const cells: { cell: State; storage: HostStorage }[] = [];
    const feeds: { feed: Feed; value: Float64Array }[] = [];
    const open: number[] = [];
    let counter: Int32Array | null = null;
    const cellMemory = (cell: State): HostStorage => {
      const storage = cell.storage as HostStorage;
      cells.push({ cell, storage });
      return storage;
    };
    for (const slot of loaded.spec.slots) {
      let storage: HostStorage | null = null;
      if (slot.kind === 'leaf') {
        const { op, attrs, storage: value } = nodes[slot.node];
        if (value !== null) storage = value as HostStorage;
        else if (op === inputOp) open.push(attrs.index as number);
        else storage = cellMemory(attrs.cell as State);
      } else if (slot.kind === 'write') {
        storage = cellMemory(writes[slot.write].cell);
      } else if (slot.kind === 'root') {
        open.push(~slot.root);
      } else if (slot.kind === 'feed') {
        storage = new HostStorage(8);
        feeds.push({ feed: nodes[slot.node].attrs.feed as Feed, value: storage.view('float64') as Float64Array });
      } else {
        storage = new HostStorage(16);
        counter = storage.view('int32') as Int32Array;
      }
      storages.push(storage);
    }
    this.program = program;
    this.storages = storages;
    this.cells = cells;
    this.feeds = feeds;
    this.counter = counter;
    this.open = open;
    this.handle = native.frame(
      loaded.handle,
      storages.map((s) => s?.memory),
    );
  }

  /** Whether every cell still has the memory it had. */
  fits(): boolean {
    for (const { cell, storage } of this.cells) if (cell.storage !== storage) return false;
    return true;
  }

  /** Runs the program once, on this thread, after everything queued; the results' memory. */
  run(args: readonly HostStorage[]): HostStorage[] {
    const { nodes, outputs, loaded } = this.program;
    checkArena(loaded.spec.arenaBytes, nodes);
    const results: HostStorage[] = [];
    for (const r of outputs) results.push(allocate(r.shape, r.dtype));
    drain();
    for (const { cell } of this.cells) reportUnseen(cell);
    for (const s of this.storages) if (s !== null && s.error !== null) throw s.error;
    for (const s of args) if (s.error !== null) throw s.error;
    const { randomOps } = this.program.trace;
    if (this.counter !== null) writeCounter(this.counter, 0, streamKey('ops'), takeIndices('ops', randomOps));
    else if (randomOps > 0) takeIndices('ops', randomOps);
    for (const { feed, value } of this.feeds) value[0] = feed.read(0);
    const memory: Memory[] = [];
    for (const at of this.open) memory.push(at >= 0 ? args[at].memory : results[~at].memory);
    const status = native.runFrame(this.handle, memory);
    for (const { feed } of this.feeds) feed.advance(1);
    if (status !== undefined) {
      const storages = this.storages.map((s): HostStorage => s ?? results[0]);
      const written = this.program.writes.map(({ cell, value }) => ({
        cell,
        storage: cell.storage as HostStorage,
        fresh: false,
        value: value.inputs.length > 0 ? value : null,
      }));
      const feeds = this.feeds.map((f) => f.feed);
      const origins = originsOf(loaded.spec, nodes);
      stopped({ program: loaded.handle, origins, storages, outputs: results, cells: written, feeds, steps: 1 }, status);
    }
    return results;
  }
}
