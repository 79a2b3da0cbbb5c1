import { stateOp } from '../graph/leaves.js';
import { State } from '../graph/state.js';
import { Tensor } from '../graph/tensor.js';
import type { HostStorage } from '../runtime/storage.js';
import { type Shape, sizeOf } from '../shape.js';

const SHOWN_PER_AXIS = 6;
const inspect = Symbol.for('nodejs.util.inspect.custom');

/** What `console.log(t)` shows: shape, dtype, and the values when they exist. Executes nothing. */
function describe(t: Tensor): string {
  const head = `Tensor [${t.shape.join(', ')}] ${t.dtype}`;
  const storage = t.storage as HostStorage | null;
  if (storage === null) return `${head} (lazy: ${t.op === stateOp ? 'state' : t.op.name})`;
  if (storage.error !== null) return `${head} (failed: ${storage.error.message})`;
  if (storage.run !== null) return `${head} (queued)`;
  if (sizeOf(t.shape) === 0) return `${head} (empty)`;
  return `${head} ${format(storage.view(t.dtype), t.shape, 0, 0)}`;
}

function format(values: ArrayLike<number>, shape: Shape, axis: number, offset: number): string {
  if (axis === shape.length) return String(Number(values[offset].toPrecision(6)));
  const step = sizeOf(shape.slice(axis + 1));
  const entries: string[] = [];
  for (let i = 0; i < shape[axis]; i++) {
    if (shape[axis] > SHOWN_PER_AXIS && i === SHOWN_PER_AXIS / 2) {
      entries.push('…');
      i = shape[axis] - SHOWN_PER_AXIS / 2;
    }
    entries.push(format(values, shape, axis + 1, offset + i * step));
  }
  return `[${entries.join(', ')}]`;
}

Object.assign(Tensor.prototype, {
  toString(this: Tensor): string {
    return describe(this);
  },
  [inspect](this: Tensor): string {
    return describe(this);
  },
});

Object.assign(State.prototype, {
  [inspect](this: State): string {
    const name = this.name === '' ? '' : ` "${this.name}"`;
    return `${this.constructor.name}${name} [${this.shape.join(', ')}] ${this.dtype}, version ${this.version}`;
  },
});
