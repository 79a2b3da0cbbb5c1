import type { guardOps } from '../../src/ops/guard.js';
import * as ops from '../../src/ops/index.js';
import { float, type OpCase } from './case.js';

export const guardCases = {
  checkFinite: [[], [0], [1], [17], [33], [100_003]].map(
    (shape): OpCase => ({ name: `[${shape}]`, inputs: [float(shape)], run: ops.checkFinite, bound: 'exact' }),
  ),
} satisfies Record<keyof typeof guardOps, OpCase[]>;
