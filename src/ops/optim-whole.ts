import type { RefArray } from '../graph/op.js';
import { broadcastShapes, type Shape, sizeOf } from '../shape.js';
import { forEachCoordinate, indexOf } from './define.js';
import {
  type Arithmetic,
  averaged,
  bits,
  missing,
  mix,
  NUMBERS,
  type RuleAttrs,
  type RuleWords,
  type WholeRule,
} from './optim-rules.js';

/** The arithmetic of rules that look at whole parameters: values are arrays, which broadcast, and float64 scalars. */
export interface WholeArithmetic<V> extends Omit<Arithmetic<V>, 'product'> {
  power(a: V, b: number): V;
  /** `ratio` where the scalars a and b are above 0, else 1. */
  trust(a: V, b: V, ratio: V): V;
  /** The root of the sum of squares, a scalar. */
  norm(x: V): V;
  /** Over one of the last two axes, which stays with size 1. */
  mean(x: V, axis: -1 | -2): V;
  matmul(a: V, b: V, transA: boolean, transB: boolean): V;
  reshape(x: V, shape: Shape): V;
  /** A scalar in the dtype of `w`. */
  like(w: V, x: V): V;
  shape(x: V): Shape;
}

/** What a rule gets for one parameter: the gradient after scale, clipping, sign and penalty, before weight decay. */
export interface WholeStep<V> {
  readonly w: V;
  readonly g: V;
  readonly slots: readonly V[];
  readonly lr: V;
  /** Counts this step from 1. */
  readonly t: V;
  readonly decay: number;
  readonly decoupled: boolean;
  /** Of the dtype. */
  readonly epsilon: number;
}

/** A rule whose steps depend on norms, rows and columns or products of a whole parameter. */
export interface Whole<A> extends RuleWords<A> {
  /** Whether the instruction sees matrices, [lead, rows, cols]. */
  readonly matrices?: (shape: Shape) => Shape;
  slotShape?(index: number, shape: Shape): Shape;
  /** The new weight and slots. */
  step<V>(o: WholeArithmetic<V>, a: A, p: WholeStep<V>): readonly V[];
}

/** A vector counts as a matrix of one column. */
const rowsAndCols = (shape: Shape): Shape => (shape.length >= 2 ? shape : [sizeOf(shape), 1]);

/** Weight and gradient with weight decay, coupled or decoupled. */
function decayed<V>(o: WholeArithmetic<V>, { w, g, lr, decay, decoupled }: WholeStep<V>): readonly [V, V] {
  if (decay === 0) return [w, g];
  if (!decoupled) return [w, o.add(g, o.mul(decay, w))];
  return [o.mul(w, o.like(w, o.sub(1, o.mul(lr, decay)))), g];
}

export const WHOLE_RULES: { readonly [R in WholeRule]: Whole<RuleAttrs[R]> } = {
  lars: {
    slots: () => ['momentumBuffer'],
    flags: (a) => bits(!a.ratio),
    options: (a) => [a.momentum, a.trustCoefficient, a.eps],
    step: (o, a, { w, g, slots: [v], lr, decay }) => {
      const [ofW, ofG] = [o.norm(w), o.norm(g)];
      const below = o.add(o.add(ofG, o.mul(decay, ofW)), a.eps);
      const ratio = o.trust(ofW, ofG, o.div(o.mul(a.trustCoefficient, ofW), below));
      const rate = o.like(w, a.ratio ? o.mul(lr, ratio) : lr);
      const d = decay === 0 ? g : o.add(g, o.mul(decay, w));
      const velocity = o.add(o.mul(a.momentum, v), o.mul(rate, d));
      return [o.sub(w, velocity), velocity];
    },
  },
  lamb: {
    slots: () => ['expAvg', 'expAvgSq'],
    flags: (a) => bits(!a.ratio),
    options: (a) => [a.beta1, a.beta2, a.eps],
    step: (o, a, { w, g, slots: [m, v], lr, t, decay }) => {
      const [first, second] = [mix(o, a.beta1, m, g), averaged(o, a.beta2, v, g)];
      const [of1, of2] = [a.beta1, a.beta2].map((beta) => o.like(w, missing(o, beta, t)));
      const adam = o.div(o.div(first, of1), o.add(o.sqrt(o.div(second, of2)), a.eps));
      const r = decay === 0 ? adam : o.add(adam, o.mul(decay, w));
      const [ofW, ofR] = [o.norm(w), o.norm(r)];
      const rate = a.ratio ? o.mul(lr, o.trust(ofW, ofR, o.div(ofW, ofR))) : lr;
      return [o.sub(w, o.mul(o.like(w, rate), r)), first, second];
    },
  },
  adafactor: {
    slots: () => ['rowVar', 'colVar'],
    flags: () => 0,
    options: (a) => [a.beta2Decay, a.eps1 ?? -1, a.eps2, a.d],
    matrices: (shape) => {
      const matrix = rowsAndCols(shape);
      return [sizeOf(matrix.slice(0, -2)), ...matrix.slice(-2)];
    },
    slotShape: (i, shape) => {
      const [rows, cols] = rowsAndCols(shape).slice(-2);
      return [...shape.slice(0, -2), ...(i === 0 ? [rows, 1] : [1, cols])];
    },
    step: <V>(o: WholeArithmetic<V>, a: RuleAttrs['adafactor'], p: WholeStep<V>) => {
      const [w, g] = decayed(o, p);
      const shape = o.shape(w);
      const eps1 = a.eps1 ?? p.epsilon;
      const squares = o.reshape(o.mul(g, g), rowsAndCols(shape));
      const fresh = o.like(w, o.power(p.t, a.beta2Decay));
      const towards = (old: V, axis: -1 | -2) => o.add(old, o.mul(fresh, o.sub(o.mean(squares, axis), old)));
      const [rowVar, colVar] = [towards(p.slots[0], -1), towards(p.slots[1], -2)];
      const total = o.max(o.mean(rowVar, -2), eps1);
      const variance = o.reshape(o.div(o.mul(rowVar, colVar), total), shape);
      const update = o.div(g, o.sqrt(o.max(variance, eps1 * eps1)));
      const rms = (x: V) => o.div(o.norm(x), Math.sqrt(Math.max(1, sizeOf(shape))));
      const length = o.mul(o.max(a.eps2, rms(p.w)), o.min(p.lr, o.div(1, o.sqrt(p.t))));
      const rate = o.div(length, o.max(1, o.div(rms(update), a.d)));
      return [o.sub(w, o.mul(o.like(w, rate), update)), rowVar, colVar];
    },
  },
  muon: {
    slots: () => ['momentumBuffer'],
    flags: (a) => bits(a.nesterov, a.adjustLr === 'matchRmsAdamW'),
    options: (a) => [a.momentum, a.eps, ...a.nsCoefficients, a.nsSteps],
    matrices: (shape) => [1, shape[0], sizeOf(shape.slice(1))],
    step: (o, a, p) => {
      const [w, g] = decayed(o, p);
      const shape = o.shape(w);
      const [rows, cols] = [shape[0], sizeOf(shape.slice(1))];
      const velocity = mix(o, a.momentum, p.slots[0], g);
      const u = o.reshape(a.nesterov ? mix(o, a.momentum, velocity, g) : velocity, [rows, cols]);
      const tall = rows > cols;
      const [of1, of2, of3] = a.nsCoefficients;
      let x = o.div(u, o.like(u, o.max(o.norm(u), a.eps)));
      for (let i = 0; i < a.nsSteps; i++) {
        const gram = o.matmul(x, x, tall, !tall);
        const mixed = o.add(o.mul(of2, gram), o.mul(of3, o.matmul(gram, gram, false, false)));
        const turned = tall ? o.matmul(x, mixed, false, false) : o.matmul(mixed, x, false, false);
        x = o.add(o.mul(of1, x), turned);
      }
      const original = Math.sqrt(Math.max(1, rows / cols));
      const scale = a.adjustLr === 'original' ? original : 0.2 * Math.sqrt(Math.max(rows, cols));
      return [o.sub(w, o.mul(o.like(w, o.mul(p.lr, scale)), o.reshape(x, shape))), velocity];
    },
  },
};

/** A scalar of {@link ARRAYS}. */
export const scalarArray = (x: number): RefArray => ({ data: Float64Array.of(x), shape: [] });

const arrayOf = (x: RefArray | number): RefArray => (typeof x === 'number' ? scalarArray(x) : x);

/** f on all elements of arrays that broadcast. */
export function mapArrays(f: (...x: number[]) => number, ...given: readonly (RefArray | number)[]): RefArray {
  const arrays = given.map(arrayOf);
  const shape = broadcastShapes('optimizerStep', ...arrays.map((x) => x.shape));
  const data = new Float64Array(sizeOf(shape));
  const strides = arrays.map((x) => {
    let step = 1;
    const own = x.shape.map(() => 0);
    for (let d = own.length - 1; d >= 0; d--) {
      own[d] = x.shape[d] === 1 ? 0 : step;
      step *= x.shape[d];
    }
    return [...shape.slice(own.length).map(() => 0), ...own];
  });
  forEachCoordinate(shape, (c, i) => {
    data[i] = f(...arrays.map((x, k) => x.data[indexOf(c, strides[k])]));
  });
  return { data, shape };
}

/** The float64 reference. */
export const ARRAYS: WholeArithmetic<RefArray> = {
  add: (a, b) => mapArrays(NUMBERS.add, a, b),
  sub: (a, b) => mapArrays(NUMBERS.sub, a, b),
  mul: (a, b) => mapArrays(NUMBERS.mul, a, b),
  div: (a, b) => mapArrays(NUMBERS.div, a, b),
  max: (a, b) => mapArrays(NUMBERS.max, a, b),
  min: (a, b) => mapArrays(NUMBERS.min, a, b),
  pow: (a, b) => mapArrays(NUMBERS.pow, a, b),
  power: (a, b) => mapArrays(NUMBERS.pow, a, b),
  sqrt: (a) => mapArrays(NUMBERS.sqrt, a),
  abs: (a) => mapArrays(NUMBERS.abs, a),
  sign: (a) => mapArrays(NUMBERS.sign, a),
  select: (a, b, c) => mapArrays(NUMBERS.select, a, b, c),
  trust: (a, b, ratio) => (a.data[0] > 0 && b.data[0] > 0 ? ratio : scalarArray(1)),
  norm: (x) => scalarArray(Math.sqrt(x.data.reduce((sum, v) => sum + v * v, 0))),
  mean: (x, axis) => {
    const at = x.shape.length + axis;
    const [r, inner] = [x.shape[at], sizeOf(x.shape.slice(at + 1))];
    const data = new Float64Array(x.data.length / r);
    for (let i = 0; i < x.data.length; i++) data[Math.floor(i / (r * inner)) * inner + (i % inner)] += x.data[i] / r;
    return { data, shape: x.shape.map((n, d) => (d === at ? 1 : n)) };
  },
  matmul: (a, b, transA, transB) => {
    const [m, k] = transA ? [a.shape[1], a.shape[0]] : a.shape;
    const n = b.shape[transB ? 0 : 1];
    const data = new Float64Array(m * n);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        for (let p = 0; p < k; p++) {
          data[i * n + j] += a.data[transA ? p * m + i : i * k + p] * b.data[transB ? j * k + p : p * n + j];
        }
      }
    }
    return { data, shape: [m, n] };
  },
  reshape: (x, shape) => ({ data: x.data, shape }),
  like: (_, x) => x,
  shape: (x) => x.shape,
};
