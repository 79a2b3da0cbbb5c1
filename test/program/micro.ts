// The meaning of the micro-operations of FUSED and of the epilogues.
import type { DType } from '../../src/dtype.js';
import type { MicroName } from '../../src/program/opcodes.gen.js';
import type { Decoded } from './words.js';

const ACTIVATIONS: readonly (MicroName | null)[] = [null, 'RELU', 'TANH', 'SIGMOID'];
const GRADIENTS: readonly (MicroName | null)[] = [null, 'RELU_GRAD', 'TANH_GRAD', 'SIGMOID_GRAD'];

/** A sum of products with the epilogue of its instruction. */
export function finished(
  { p, dtype }: Decoded,
  sum: number,
  bias: number | null,
  aux: number,
  round: (x: number) => number,
): number {
  let x = bias === null ? sum : round(sum + bias);
  const activation = ACTIVATIONS[p.activation];
  if (activation !== null) x = compute(activation, dtype, x);
  const gradient = GRADIENTS[p.activationGrad];
  return gradient === null ? x : compute(gradient, dtype, x, aux);
}

/** One micro-operation on one element, rounded to the register type. */
export function compute(micro: MicroName, dtype: DType, a: number, b = 0, c = 0): number {
  if (dtype === 'int32') return integer(micro, a, b, c);
  return (dtype === 'float32' ? Math.fround : (x: number) => x)(real(micro, dtype, a, b, c));
}

function integer(micro: MicroName, a: number, b: number, c: number): number {
  if (micro === 'MUL') return Math.imul(a, b);
  if (micro === 'DIV') return b === 0 ? 0 : Math.trunc(a / b) | 0;
  return real(micro, 'int32', a, b, c) | 0;
}

function real(micro: MicroName, dtype: DType, a: number, b: number, c: number): number {
  const f = dtype === 'float32' ? Math.fround : (x: number) => x;
  switch (micro) {
    case 'ADD':
      return a + b;
    case 'SUB':
      return a - b;
    case 'MUL':
      return a * b;
    case 'DIV':
      return a / b;
    case 'MAXIMUM':
      return Math.max(a, b);
    case 'MINIMUM':
      return Math.min(a, b);
    case 'POW':
      return a ** b;
    case 'EQUAL':
      return Number(a === b);
    case 'NOT_EQUAL':
      return Number(a !== b);
    case 'LESS':
      return Number(a < b);
    case 'LESS_EQUAL':
      return Number(a <= b);
    case 'GREATER':
      return Number(a > b);
    case 'GREATER_EQUAL':
      return Number(a >= b);
    case 'AND':
      return Number(a !== 0 && b !== 0);
    case 'OR':
      return Number(a !== 0 || b !== 0);
    case 'NOT':
      return Number(a === 0);
    case 'WHERE':
      return a !== 0 ? b : c;
    case 'NEG':
      return -a;
    case 'ABS':
      return Math.abs(a);
    case 'SIGN':
      return Number.isNaN(a) ? a : a > 0 ? 1 : a < 0 ? -1 : 0;
    case 'FLOOR':
      return Math.floor(a);
    case 'CEIL':
      return Math.ceil(a);
    case 'ROUND': {
      const r = Math.round(a);
      return Math.abs(a % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
    }
    case 'TRUNC':
      return Math.trunc(a);
    case 'SQRT':
      return Math.sqrt(a);
    case 'RSQRT':
      return 1 / f(Math.sqrt(a));
    case 'RECIPROCAL':
      return 1 / a;
    case 'EXP':
      return Math.exp(a);
    case 'EXPM1':
      return Math.expm1(a);
    case 'LOG':
      return Math.log(a);
    case 'LOG1P':
      return Math.log1p(a);
    case 'SIN':
      return Math.sin(a);
    case 'COS':
      return Math.cos(a);
    case 'TAN':
      return Math.tan(a);
    case 'TANH':
      return Math.tanh(a);
    case 'SIGMOID':
      return 1 / (1 + Math.exp(-a));
    case 'ERF':
      return erf(a);
    case 'SOFTPLUS':
      return Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));
    case 'RELU':
      return Number.isNaN(a) ? a : a > 0 ? a : 0;
    case 'RELU_GRAD':
      return b > 0 ? a : 0;
    case 'TANH_GRAD':
      return a * f(f(1 - b) * f(1 + b));
    case 'SIGMOID_GRAD':
      return a * f(b * f(1 - b));
    case 'CLAMP':
      return Math.min(Math.max(a, b), c);
    case 'INSIDE':
      return Number(b < a && a < c);
    case 'WHERE_POSITIVE':
      return a > 0 ? b : c;
    case 'GELU':
      return f(0.5 * a) * f(1 + f(erf(f(a * f(Math.SQRT1_2)))));
    case 'GELU_GRAD': {
      const t = f(b * f(Math.SQRT1_2));
      const density = f(f(1 / Math.sqrt(2 * Math.PI)) * f(Math.exp(-f(t * t))));
      return a * f(f(0.5 * f(1 + f(erf(t)))) + f(b * density));
    }
    case 'IS_FINITE':
      return Number(Number.isFinite(a));
    case 'IS_NAN':
      return Number(Number.isNaN(a));
    default:
      return micro satisfies never;
  }
}

/** Abramowitz and Stegun 7.1.6. */
function erf(x: number): number {
  if (Math.abs(x) > 6 || Number.isNaN(x)) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}
