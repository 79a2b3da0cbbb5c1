import { build, type Tensor } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import { movementOps } from '../../src/ops/movement.js';
import { float, floats, type Input, ints, type OpCase } from './case.js';

const six = floats([1, 2, 3, 4, 5, 6], [2, 3]);
const empty = float([0, 3]);

function moved(
  name: string,
  inputs: Input | readonly Input[],
  run: OpCase['run'],
  expected?: readonly number[],
): OpCase {
  const list = Array.isArray(inputs) ? (inputs as readonly Input[]) : [inputs as Input];
  const base: OpCase = { name, inputs: list, run, bound: 'exact' };
  return expected === undefined ? base : { ...base, expected };
}

const barrier = (x: Tensor) => build(movementOps.barrier, [x]);

export const movementCases = {
  alias: [moved('same', six, ops.alias, [1, 2, 3, 4, 5, 6]), moved('empty', empty, ops.alias)],
  barrier: [
    moved('same', six, barrier, [1, 2, 3, 4, 5, 6]),
    moved('between equal values', six, (x) => ops.sub(ops.neg(x), ops.neg(barrier(x))), [0, 0, 0, 0, 0, 0]),
  ],
  stopGradient: [{ ...moved('same', six, ops.stopGradient, [1, 2, 3, 4, 5, 6]), grad: false }],
  reshape: [
    moved('flat', six, (x) => ops.reshape(x, [6]), [1, 2, 3, 4, 5, 6]),
    moved('inferred', six, (x) => ops.reshape(x, [3, -1]), [1, 2, 3, 4, 5, 6]),
    moved('of a transpose, copied', six, (x) => ops.reshape(ops.transpose(x), [6]), [1, 4, 2, 5, 3, 6]),
    moved('of a permute, as a view', float([2, 3, 4]), (x) => ops.reshape(ops.permute(x, [2, 0, 1]), [4, 6])),
    moved('of a broadcast', float([3, 1]), (x) => ops.reshape(ops.broadcastTo(x, [3, 4]), [12])),
    moved('of a slice', float([4, 5]), (x) =>
      ops.reshape(ops.slice(x, [{ start: 1, end: 3 }, { step: 2 }]), [2, 3, 1]),
    ),
    moved('to rank 0', floats([7]), (x) => ops.reshape(x, []), [7]),
    moved('empty', empty, (x) => ops.reshape(x, [3, 0, 2])),
    moved('flatten', float([2, 3, 4]), (x) => ops.flatten(x, 1)),
    moved('expandDims, squeeze', six, (x) => ops.squeeze(ops.expandDims(ops.expandDims(x, 1), -1), [1])),
    moved('int32', ints([1, 2, 3, 4]), (x) => ops.reshape(x, [2, 2]), [1, 2, 3, 4]),
    moved('large', float([317, 317]), (x) => ops.reshape(ops.transpose(x), [-1])),
  ],
  permute: [
    moved('transpose', six, (x) => ops.transpose(x), [1, 4, 2, 5, 3, 6]),
    moved('rank 3', float([2, 3, 4]), (x) => ops.permute(x, [1, 2, 0])),
    moved('negative axes', float([2, 3, 4]), (x) => ops.permute(x, [-1, 0, 1])),
    moved('twice', float([2, 3, 4]), (x) => ops.permute(ops.permute(x, [1, 2, 0]), [1, 2, 0])),
    moved('empty', empty, (x) => ops.transpose(x)),
    moved('bytes', ints([1, 2, 3, 4, 5, 6], [2, 3], 'uint8'), (x) => ops.transpose(x), [1, 4, 2, 5, 3, 6]),
    moved('large', float([331, 317]), (x) => ops.transpose(x)),
  ],
  broadcastTo: [
    moved('rows', floats([1, 2]), (x) => ops.broadcastTo(x, [3, 2]), [1, 2, 1, 2, 1, 2]),
    moved('columns', floats([1, 2], [2, 1]), (x) => ops.broadcastTo(x, [2, 3]), [1, 1, 1, 2, 2, 2]),
    moved('scalar', floats([5], []), (x) => ops.broadcastTo(x, [2, 2]), [5, 5, 5, 5]),
    moved('to nothing', floats([5], [1]), (x) => ops.broadcastTo(x, [0])),
    moved('of a transpose', float([2, 3]), (x) => ops.broadcastTo(ops.transpose(x), [2, 3, 2])),
  ],
  slice: [
    moved('known', six, (x) => ops.slice(x, [{}, { start: 1 }]), [2, 3, 5, 6]),
    moved('negative bounds', six, (x) => ops.slice(x, [{ start: -1 }, { end: -1 }]), [4, 5]),
    moved('steps', floats([0, 1, 2, 3, 4, 5, 6]), (x) => ops.slice(x, [{ start: 1, step: 3 }]), [1, 4]),
    moved('empty', six, (x) => ops.slice(x, [{ start: 1, end: 1 }])),
    moved('at the end', six, (x) => ops.slice(x, [{ start: 2 }])),
    moved('flip', floats([1, 2, 3]), (x) => ops.flip(x), [3, 2, 1]),
    moved('flip one axis', six, (x) => ops.flip(x, 1), [3, 2, 1, 6, 5, 4]),
    moved('flip nothing', float([0]), (x) => ops.flip(x)),
    moved('slice of flip of transpose', float([4, 5]), (x) =>
      ops.slice(ops.flip(ops.transpose(x), 0), [{ start: 1, step: 2 }, { start: 1 }]),
    ),
    moved('split', float([5, 2]), (x) => ops.split(x, [2, 3])),
    moved('equal parts', float([2, 6]), (x) => ops.split(x, 3, 1)),
    moved('large', float([100_003]), (x) => ops.slice(x, [{ start: 3, step: 7 }])),
  ],
  pad: [
    moved('known', floats([1, 2]), (x) => ops.pad(x, [[1, 2]]), [0, 1, 2, 0, 0]),
    moved(
      'value',
      floats([1, 2], [1, 2]),
      (x) =>
        ops.pad(
          x,
          [
            [1, 0],
            [0, 1],
          ],
          { value: 9 },
        ),
      [9, 9, 9, 1, 2, 9],
    ),
    moved('of a transpose', six, (x) =>
      ops.pad(ops.transpose(x), [
        [0, 1],
        [2, 0],
      ]),
    ),
    moved('of nothing', float([0]), (x) => ops.pad(x, [[2, 1]], { value: 4 }), [4, 4, 4]),
    moved('int32', ints([1]), (x) => ops.pad(x, [[1, 1]], { value: 3 }), [3, 1, 3]),
    moved('large', float([331, 301]), (x) =>
      ops.pad(x, [
        [1, 1],
        [1, 1],
      ]),
    ),
  ],
  concat: [
    moved('known', [floats([1, 2]), floats([3])], (a, b) => ops.concat([a, b]), [1, 2, 3]),
    moved('axis 1', [six, float([2, 1])], (a, b) => ops.concat([a, b], 1)),
    moved('negative axis', [float([2, 2, 2]), float([2, 1, 2])], (a, b) => ops.concat([a, b], -2)),
    moved('one twice', six, (x) => ops.concat([x, ops.transpose(ops.reshape(x, [3, 2]))], 0)),
    moved('with nothing', [six, float([0, 3])], (a, b) => ops.concat([a, b], 0), [1, 2, 3, 4, 5, 6]),
    moved('stack', [floats([1, 2]), floats([3, 4])], (a, b) => ops.stack([a, b]), [1, 2, 3, 4]),
    moved('stack last', [floats([1, 2]), floats([3, 4])], (a, b) => ops.stack([a, b], -1), [1, 3, 2, 4]),
    moved('stack of scalars', [floats([1], []), floats([2], [])], (a, b) => ops.stack([a, b]), [1, 2]),
    moved('promotes', [ints([1]), floats([0.5])], (a, b) => ops.concat([a, b]), [1, 0.5]),
    moved('large', [float([50_021]), float([50_023])], (a: Tensor, b: Tensor) => ops.concat([a, b])),
  ],
} satisfies Record<keyof typeof movementOps, OpCase[]>;
