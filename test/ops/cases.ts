import type { OpName } from '../../src/ops/index.js';
import { activationCases, composedActivationCases } from './activation.cases.js';
import { alongCases } from './along.cases.js';
import { arrangeCases } from './arrange.cases.js';
import type { OpCase } from './case.js';
import { compareCases } from './compare.cases.js';
import { composedCases } from './composed.cases.js';
import { convCases, convolutionCases } from './conv.cases.js';
import { elementwiseCases } from './elementwise.cases.js';
import { gatherCases } from './gather.cases.js';
import { guardCases } from './guard.cases.js';
import { linalgCases, matrixCases } from './linalg.cases.js';
import { matmulCases } from './matmul.cases.js';
import { movementCases } from './movement.cases.js';
import { groupedRowCases, groupNormCases, normCases } from './norm.cases.js';
import { optimCases } from './optim.cases.js';
import { imageCases, poolCases } from './pool.cases.js';
import { randomCases } from './random.cases.js';
import { reduceCases } from './reduce.cases.js';
import { scanCases } from './scan.cases.js';
import { softmaxCases } from './softmax.cases.js';
import { sortCases } from './sort.cases.js';

/** Cases of every op: one without is a type error here. */
export const CASES = {
  ...elementwiseCases,
  ...compareCases,
  ...activationCases,
  ...reduceCases,
  ...movementCases,
  ...matmulCases,
  ...softmaxCases,
  ...normCases,
  ...groupNormCases,
  ...poolCases,
  ...gatherCases,
  ...randomCases,
  ...guardCases,
  ...optimCases,
  ...alongCases,
  ...scanCases,
  ...sortCases,
  ...linalgCases,
  ...convCases,
} satisfies Record<OpName, OpCase[]>;

/** Cases of functions made of ops. */
export const COMPOSED: Readonly<Record<string, readonly OpCase[]>> = {
  ...composedCases,
  ...composedActivationCases,
  ...arrangeCases,
  ...matrixCases,
  ...groupedRowCases,
  ...convolutionCases,
  ...imageCases,
};
