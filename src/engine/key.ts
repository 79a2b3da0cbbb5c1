import { DTYPES } from '../dtype.js';
import type { OpDef } from '../graph/op.js';
import type { Attrs, Tensor } from '../graph/tensor.js';

/**
 * Structural identity of a graph as int32 words: equal words mean equal programs. Values, cells and host numbers are not
 * part of it; constants, shapes, attributes and the way nodes are connected are.
 */
export class KeyWriter {
  private words = new Int32Array(1024);
  private length = 0;
  private readonly f64 = new Float64Array(1);
  private readonly halves = new Int32Array(this.f64.buffer);

  reset(): void {
    this.length = 0;
  }

  int(x: number): void {
    if (this.length === this.words.length) {
      const larger = new Int32Array(this.length * 2);
      larger.set(this.words);
      this.words = larger;
    }
    this.words[this.length++] = x;
  }

  number(x: number): void {
    this.f64[0] = x;
    this.int(this.halves[0]);
    this.int(this.halves[1]);
  }

  /** Op, type, attributes and inputs of a node; `first` is the mark of the graph's first node. */
  node(node: Tensor, first: number, rngBase: number): void {
    this.int(idOf(ops, node.op));
    this.int(DTYPES.indexOf(node.dtype));
    this.int(node.shape.length);
    for (const d of node.shape) this.int(d);
    this.attrs(node, rngBase);
    for (const x of node.inputs) this.int(x.mark - first);
  }

  private attrs(node: Tensor, rngBase: number): void {
    const attrs: Attrs = node.attrs;
    if (node.op.kind === 'leaf' && node.op.name !== 'full' && node.op.name !== 'input') return; // what it is bound to
    for (const key in attrs) {
      this.int(idOf(strings, key));
      if (node.op.random === true && key === 'index') this.number((attrs[key] as number) - rngBase);
      else this.value(attrs[key]);
    }
  }

  private value(x: unknown): void {
    if (typeof x === 'number') {
      this.int(1);
      this.number(x);
    } else if (typeof x === 'boolean') {
      this.int(x ? 3 : 2);
    } else if (typeof x === 'string') {
      this.int(4);
      this.int(idOf(strings, x));
    } else if (x === undefined || x === null) {
      this.int(5);
    } else if (Array.isArray(x)) {
      this.int(6);
      this.int(x.length);
      for (const e of x) this.value(e);
    } else {
      this.int(7);
      const entries = Object.entries(x);
      this.int(entries.length);
      for (const [k, e] of entries) {
        this.int(idOf(strings, k));
        this.value(e);
      }
    }
  }

  hash(): number {
    let h = 0x811c9dc5;
    for (let i = 0; i < this.length; i++) {
      h = Math.imul(h ^ this.words[i], 0x01000193);
      h ^= h >>> 15;
    }
    return h >>> 0;
  }

  copy(): Int32Array {
    return this.words.slice(0, this.length);
  }

  equals(other: Int32Array): boolean {
    if (other.length !== this.length) return false;
    for (let i = 0; i < other.length; i++) if (other[i] !== this.words[i]) return false;
    return true;
  }
}

const ops = new Map<OpDef, number>();
const strings = new Map<string, number>();
function idOf<T>(table: Map<T, number>, x: T): number {
  let id = table.get(x);
  if (id === undefined) {
    id = table.size;
    table.set(x, id);
  }
  return id;
}
