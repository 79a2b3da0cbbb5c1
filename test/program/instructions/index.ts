import type { OpcodeName } from '../../../src/program/opcodes.gen.js';
import type { Instruction } from '../machine.js';
import { convolution } from './conv.js';
import { elementwise } from './elementwise.js';
import { gather } from './gather.js';
import { linalg } from './linalg.js';
import { gemm } from './matmul.js';
import { norm } from './norm.js';
import { optim } from './optim.js';
import { pool } from './pool.js';
import { random } from './random.js';
import { reduce } from './reduce.js';
import { softmax } from './softmax.js';

/** Every instruction: one without is a type error here. */
export const INSTRUCTIONS = {
  ...elementwise,
  ...reduce,
  ...gemm,
  ...convolution,
  ...pool,
  ...norm,
  ...softmax,
  ...gather,
  ...random,
  ...linalg,
  ...optim,
} satisfies Record<OpcodeName, Instruction>;
