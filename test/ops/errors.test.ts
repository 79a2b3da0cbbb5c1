import { describe, expect, it } from 'vitest';
import { DTypeError, type NeuriteError, OptionError, ShapeError } from '../../src/errors.js';
import type { Tensor } from '../../src/graph/tensor.js';
import * as ops from '../../src/ops/index.js';
import '../../src/ops/methods.js';

const x = ops.zeros([2, 3]);
const n = ops.zeros([2], { dtype: 'int32' });
const b = ops.zeros([2], { dtype: 'bool' });
const d = ops.zeros([2, 3], { dtype: 'float64' });
const scalar64 = ops.zeros([], { dtype: 'float64' });
const image = ops.zeros([1, 8, 8, 3]);
const kernel = ops.zeros([4, 3, 5, 5]);
const step = ops.zeros([], { dtype: 'int32' });
const PLAIN = { momentum: 0, dampening: 0, weightDecay: 0, nesterov: false, form: 'sum' } as const;

type Kind = new (...args: never[]) => NeuriteError;

/** What is wrong, the error, and what its message must say: the op, what came, what was expected or a hint. */
const WRONG: [what: string, kind: Kind, run: () => unknown, says: string][] = [
  ['shapes', ShapeError, () => ops.add(x, ops.zeros([4])), 'add: shapes [2,3] and [4] do not broadcast'],
  ['where shapes', ShapeError, () => ops.where(b, x, 0), 'where:'],
  [
    'two floats',
    DTypeError,
    () => ops.add(x, d),
    "add: got float32 and float64; Neurite does not promote between floats; add .cast('float32')",
  ],
  [
    'sqrt of int32',
    DTypeError,
    () => ops.sqrt(n),
    "sqrt: got int32, expected float32 or float64; add .cast('float32')",
  ],
  ['mean of int32', DTypeError, () => ops.mean(n), 'mean: got int32'],
  ['bool arithmetic', DTypeError, () => ops.add(b, b), "add: got bool, expected a number type; add .cast('int32')"],
  [
    'a fraction with int32',
    DTypeError,
    () => ops.add(n, 0.5),
    "add: 0.5 does not fit a tensor of int32; add .cast('float32')",
  ],
  ['300 with uint8', DTypeError, () => ops.add(ops.cast(n, 'uint8'), 300), 'add: 300 does not fit a tensor of uint8'],
  [
    'an array',
    DTypeError,
    () => ops.mul(x, [1] as never),
    'mul: got an array, expected a Tensor, a State or a number; wrap data with tensor(...)',
  ],
  ['undefined', DTypeError, () => ops.relu(undefined as never), 'relu: got undefined'],
  [
    'a condition that is no bool',
    DTypeError,
    () => ops.where(x, 1, 0),
    'where: got a condition of float32, expected bool',
  ],
  [
    'an unknown dtype',
    DTypeError,
    () => ops.cast(x, 'float' as never),
    "cast: got 'float', expected float32, float64, int32, uint8, bool",
  ],
  ['clip bounds', OptionError, () => ops.clip(x, 2, 1), 'clip: got low 2 and high 1, expected numbers, low <= high'],
  ['an axis', ShapeError, () => ops.sum(x, { axis: 2 }), 'sum: axis 2 is outside a tensor of rank 2'],
  ['an axis twice', ShapeError, () => ops.sum(x, { axis: [0, -2] }), 'sum: axis 0 is given twice'],
  [
    'max of nothing',
    ShapeError,
    () => ops.max(ops.zeros([3, 0]), { axis: 1 }),
    'max: no elements along axes [1] of [3,0]',
  ],
  ['argmax of nothing', ShapeError, () => ops.argmax(ops.zeros([0])), 'argmax: no elements'],
  ['norm order', OptionError, () => ops.norm(x, { ord: NaN }), 'norm: got ord NaN'],
  ['reshape', ShapeError, () => ops.reshape(x, [4]), 'reshape: [2,3] has 6 elements, which do not fit [4]'],
  ['reshape with two -1', ShapeError, () => ops.reshape(x, [-1, -1]), 'do not fit [-1,-1]'],
  ['reshape that does not divide', ShapeError, () => ops.reshape(x, [4, -1]), 'do not fit [4,-1]'],
  [
    'permute',
    ShapeError,
    () => ops.permute(x, [0, 0]),
    'permute: got axes [0,0], expected each of the 2 axes of [2,3] once',
  ],
  [
    'slice bounds',
    OptionError,
    () => ops.slice(x, [{ end: 0.5 }]),
    'slice: axis 0: got 0.5 as a bound, expected whole numbers',
  ],
  ['slice step', OptionError, () => ops.slice(x, [{ step: 0 }]), 'slice: axis 0: got step 0, expected a whole number'],
  ['slice rank', ShapeError, () => ops.slice(x, [{}, {}, {}]), 'slice: got 3 ranges for a tensor of shape [2,3]'],
  ['squeeze', ShapeError, () => ops.squeeze(x, 0), 'squeeze: axis 0 of [2,3] has size 2, expected 1'],
  ['broadcastTo', ShapeError, () => ops.broadcastTo(x, [2, 4]), 'broadcastTo: [2,3] does not broadcast to [2,4]'],
  [
    'concat',
    ShapeError,
    () => ops.concat([x, ops.zeros([2, 4])]),
    'concat: got [2,3] and [2,4], expected shapes equal but for axis 0',
  ],
  ['concat of nothing', ShapeError, () => ops.concat([]), 'concat: got no tensors'],
  ['stack', ShapeError, () => ops.stack([x, n]), 'stack: got'],
  [
    'split',
    ShapeError,
    () => ops.split(x, 2, 1),
    'split: axis 1 of [2,3] has size 3, which does not split into 2 equal parts',
  ],
  [
    'ties',
    OptionError,
    () => ops.max(x, { ties: 'last' as never }),
    "max: got ties 'last', expected first, share, sum",
  ],
  ['pad mode', OptionError, () => ops.pad(x, [[1, 1]], { mode: 'reflct' as never }), 'Did you mean'],
  [
    'a mirror that is too wide',
    ShapeError,
    () => ops.pad(x, [[2, 0]], { mode: 'reflect' }),
    "pad: got widths 2 and 0 for axis 0 of [2,3], expected at most 1 with mode 'reflect'",
  ],
  ['an edge of nothing', ShapeError, () => ops.pad(ops.zeros([0]), [[1, 0]], { mode: 'replicate' }), 'at most 0'],
  ['index', ShapeError, () => ops.index(x, 2), 'index: got 2 for axis 0 of [2,3], expected -2 .. 1'],
  ['tile', OptionError, () => ops.tile(x, [1.5]), 'tile: got repeats [1.5]'],
  ['repeat', OptionError, () => ops.repeat(x, -1), 'repeat: got -1 times'],
  ['roll shift', OptionError, () => ops.roll(x, 0.5), 'roll: got shift 0.5'],
  ['roll axes', ShapeError, () => ops.roll(x, [1, 2], 0), 'roll: got 2 shifts for 1 axes'],
  ['roll without axes', ShapeError, () => ops.roll(x, [1, 2]), 'roll: got 2 shifts without axes'],
  ['sort axis', ShapeError, () => ops.sort(x, { axis: 2 }), 'sort: axis 2 is outside a tensor of rank 2'],
  ['sort of a scalar', ShapeError, () => ops.sort(ops.zeros([])), 'sort: axis -1 is outside a tensor of rank 0'],
  ['topK', ShapeError, () => ops.topK(x, 4), 'topK: got k = 4, but axis -1 of [2,3] has 3'],
  ['topK k', OptionError, () => ops.topK(x, -1), 'topK: k is -1'],
  ['cumsum axis', ShapeError, () => ops.cumsum(x, { axis: 2 }), 'cumsum: axis 2'],
  [
    'gather',
    ShapeError,
    () => ops.gather(x, n),
    'gather: got [2,3] and index [2], expected equal shapes but for axis -1',
  ],
  ['gather index', DTypeError, () => ops.gather(x, x), 'gather: got an index of float32, expected int32'],
  ['scatter', ShapeError, () => ops.scatter(x, ops.zeros([2, 1], { dtype: 'int32' }), x), 'broadcastTo'],
  ['scatterAdd into bool', DTypeError, () => ops.scatterAdd(b, n, b), 'scatterAdd: got bool'],
  ['take axis', ShapeError, () => ops.take(x, n, { axis: 2 }), 'take: axis 2'],
  ['cholesky', ShapeError, () => ops.cholesky(x), 'cholesky: got [2,3], expected square matrices [..., n, n]'],
  ['cholesky of int32', DTypeError, () => ops.cholesky(ops.zeros([2, 2], { dtype: 'int32' })), 'cholesky: got int32'],
  [
    'solve',
    ShapeError,
    () => ops.solve(ops.zeros([3, 3]), x),
    'solve: got a [3,3] and b [2,3], expected b [3] or [..., 3, m]',
  ],
  [
    'solve batches',
    ShapeError,
    () => ops.solve(ops.zeros([2, 3, 3]), ops.zeros([4, 3, 1])),
    'solve: shapes [2] and [4]',
  ],
  ['rmsNorm', ShapeError, () => ops.rmsNorm(x, [2]), 'rmsNorm: got [2,3], expected last axes [2]'],
  ['rmsNorm eps', OptionError, () => ops.rmsNorm(x, [3], { eps: -1 }), 'rmsNorm: got eps = -1'],
  ['rmsNorm weight', ShapeError, () => ops.rmsNorm(x, [3], { weight: n }), 'rmsNorm: got weight [2], expected [3]'],
  ['renorm limit', OptionError, () => ops.renorm(x, -1), 'renorm: got limit -1'],
  ['renorm order', OptionError, () => ops.renorm(x, 1, { ord: 0 }), 'renorm: got ord 0'],
  ['groupNorm', OptionError, () => ops.groupNorm(x, 2), 'groupNorm: got 2 groups for 3 channels, expected a divisor'],
  ['groupNorm of a vector', ShapeError, () => ops.groupNorm(ops.zeros([3]), 1), 'groupNorm: got [3]'],
  ['groupNorm weight', ShapeError, () => ops.groupNorm(x, 1, { weight: n }), 'groupNorm: got weight [2], expected [3]'],
  ['tril', ShapeError, () => ops.tril(n), 'tril: got [2], expected matrices'],
  ['triu offset', OptionError, () => ops.triu(x, 0.5), 'triu: got offset 0.5'],
  ['diag', ShapeError, () => ops.diag(ops.zeros([1, 2, 3])), 'diag: got [1,2,3], expected rank 1 or 2'],
  ['einsum letters', OptionError, () => ops.einsum('i1->i', x), 'einsum: got "i1->i", expected letters'],
  ['einsum operands', OptionError, () => ops.einsum('ij,jk->ik', x), 'names 2 operands, got 1'],
  [
    'einsum rank',
    ShapeError,
    () => ops.einsum('ijk->', x),
    'einsum: "ijk" in "ijk->" does not fit operand 0 of shape [2,3]',
  ],
  [
    'einsum sizes',
    ShapeError,
    () => ops.einsum('ij,ij->', x, ops.zeros([3, 3])),
    'einsum: axis "i" is 2 in one operand',
  ],
  ['einsum diagonal', ShapeError, () => ops.einsum('ii->', x), 'einsum: "i" is 2 and 3 in [2,3]'],
  ['einsum result', OptionError, () => ops.einsum('ij->k', x), '"k" of the result'],
  ['bincount', DTypeError, () => ops.bincount(x, 3), 'bincount: got float32, expected whole numbers'],
  ['bincount length', OptionError, () => ops.bincount(n, -1), 'bincount: got length -1'],
  [
    'bincount weights',
    ShapeError,
    () => ops.bincount(n, 2, { weights: x }),
    'bincount: got weights [2,3] for values [2]',
  ],
  ['histogram bins', OptionError, () => ops.histogram(x, { bins: 0 }), 'histogram: got 0 bins'],
  ['histogram range', OptionError, () => ops.histogram(x, { range: [1, 1] }), 'histogram: got range [1,1]'],
  ['categorical', ShapeError, () => ops.categorical(ops.zeros([2, 0])), 'categorical: got [2,0]'],
  ['randint', OptionError, () => ops.randint(3, 3, [2]), 'randint: got 3 .. 3'],
  ['randperm', OptionError, () => ops.randperm(-1), 'randperm: got -1'],
  ['pad', ShapeError, () => ops.pad(x, [[-1, 0]]), 'pad: got [[-1,0]] for [2,3]'],
  ['matmul sizes', ShapeError, () => ops.matmul(x, x), 'matmul: got [2,3] and [2,3]: inner sizes 3 and 2 differ'],
  [
    'matmul transposed',
    ShapeError,
    () => ops.matmul(x, ops.zeros([3, 2]), { transB: true }),
    '[3,2] transposed: inner sizes 3 and 2 differ',
  ],
  [
    'matmul batches',
    ShapeError,
    () => ops.matmul(ops.zeros([2, 2, 3]), ops.zeros([3, 3, 2])),
    'matmul: shapes [2] and [3] do not broadcast',
  ],
  ['matmul of int32', DTypeError, () => ops.matmul(n, n), 'matmul: got int32'],
  [
    'matmul of a scalar',
    ShapeError,
    () => ops.matmul(x, 2),
    'matmul: got [2,3] and [], expected rank 1 or more; use mul',
  ],
  [
    'linear',
    ShapeError,
    () => ops.linear(ops.zeros([5, 4]), x),
    'linear: got [5,4], expected last dimension 3 (weight [2,3])',
  ],
  [
    'linear bias',
    ShapeError,
    () => ops.linear(ops.zeros([5, 3]), x, ops.zeros([3])),
    'linear: got bias [3], expected [2]',
  ],
  ['softmax axis', ShapeError, () => ops.softmax(x, { axis: 2 }), 'softmax: axis 2'],
  [
    'float labels',
    DTypeError,
    () => ops.softmaxCrossEntropy(x, ops.zeros([2])),
    'softmaxCrossEntropy: got labels of float32, expected int32',
  ],
  [
    'one-hot labels',
    ShapeError,
    () => ops.softmaxCrossEntropy(x, ops.zeros([2, 3], { dtype: 'int32' })),
    'for one-hot labels take argmax over axis 1',
  ],
  ['float index', DTypeError, () => ops.take(x, ops.zeros([2])), 'take: got an index of float32, expected int32'],
  ['scatterAdd', ShapeError, () => ops.scatterAdd(3, n, ops.zeros([3])), 'scatterAdd: got index [2] and values [3]'],
  ['uniform bounds', OptionError, () => ops.uniform([1], { low: 1, high: 1 }), 'uniform: got low 1 and high 1'],
  ['uniform dtype', DTypeError, () => ops.uniform([1], { dtype: 'int32' }), 'uniform: got int32'],
  ['std', OptionError, () => ops.normal([1], { std: -1 }), 'normal: got mean 0 and std -1'],
  ['probability', OptionError, () => ops.dropout(x, 1.5), 'dropout: got p = 1.5, expected a probability in [0, 1]'],
  ['arange step', OptionError, () => ops.arange(0, 1, 0), 'arange: got start 0, stop 1, step 0'],
  ['shape', ShapeError, () => ops.zeros([-1]), 'dimension -1'],
  ['too large', ShapeError, () => ops.broadcastTo(x, [2 ** 30, 2, 3]), 'more than'],
  [
    'momentum without velocity',
    OptionError,
    () => ops.optimizerStep('sgd', { ...PLAIN, momentum: 0.9 }, scalar64, step, [{ w: x, g: x, slots: [] }]),
    'optimizerStep("sgd"): parameter 0 has 0 slots, expected 1: [momentumBuffer]',
  ],
  [
    'gradient shape',
    ShapeError,
    () => ops.optimizerStep('sgd', PLAIN, scalar64, step, [{ w: x, g: ops.zeros([3]), slots: [] }]),
    'optimizerStep("sgd"): parameter 0: got the gradient of [3], expected [2,3] beside a weight of [2,3]',
  ],
  [
    'mixed floats',
    DTypeError,
    () =>
      ops.optimizerStep('sgd', PLAIN, scalar64, step, [
        { w: x, g: x, slots: [] },
        { w: d, g: d, slots: [] },
      ]),
    'optimizerStep("sgd"): parameter 1: got float64, expected float32',
  ],
  [
    'learning rate',
    DTypeError,
    () => ops.optimizerStep('sgd', PLAIN, ops.zeros([]), step, [{ w: x, g: x, slots: [] }]),
    'optimizerStep("sgd"): got lr of float32 [], expected a float64 scalar',
  ],
  [
    'channels first',
    ShapeError,
    () => ops.conv2d(ops.zeros([1, 3, 8, 8]), kernel),
    'conv2d: got [1,3,8,8], expected 3 channels last (weight [4,3,5,5]); this looks like NCHW; use x.permute([0, 2, 3, 1])',
  ],
  [
    'channels first, one axis',
    ShapeError,
    () => ops.conv1d(ops.zeros([2, 6, 9]), ops.zeros([4, 3, 3]), { groups: 2 }),
    'conv1d: got [2,6,9], expected 6 channels last (weight [4,3,3], groups 2); this looks like NCL; use x.permute([0, 2, 1])',
  ],
  [
    'wrong channels',
    ShapeError,
    () => ops.conv2d(ops.zeros([1, 8, 8, 2]), kernel),
    'conv2d: got [1,8,8,2], expected 3 channels last (weight [4,3,5,5])',
  ],
  [
    'no batch axis',
    ShapeError,
    () => ops.conv2d(ops.zeros([8, 8, 3]), kernel),
    'conv2d: got [8,8,3], expected [batch, height, width, channels]; expandDims(x, 0) adds a batch axis',
  ],
  [
    'weight rank',
    ShapeError,
    () => ops.conv2d(image, ops.zeros([4, 3, 5])),
    'conv2d: got weight [4,3,5], expected [out, in / groups, kernel height, kernel width], each >= 1',
  ],
  [
    'an empty kernel',
    ShapeError,
    () => ops.convTranspose2d(image, ops.zeros([3, 2, 0, 1])),
    'convTranspose2d: got weight [3,2,0,1], expected [in, out / groups, kernel height, kernel width], each >= 1',
  ],
  [
    'kernel larger than the input',
    ShapeError,
    () => ops.conv2d(image, kernel, { dilation: 2, padding: [0, 1] }),
    'conv2d: the kernel 5×5 with dilation 2×2 is larger than the padded input 8×10 of [1,8,8,3]; use a smaller kernel or more padding',
  ],
  [
    'an image without pixels',
    ShapeError,
    () => ops.conv2d(ops.zeros([1, 8, 0, 3]), kernel, { padding: 9 }),
    'conv2d: got [1,8,0,3], expected width >= 1',
  ],
  [
    'stride 0',
    OptionError,
    () => ops.conv2d(image, kernel, { stride: 0 }),
    'conv2d: stride is 0, expected a whole number >= 1 or 2 of them',
  ],
  [
    'three strides',
    OptionError,
    () => ops.conv2d(image, kernel, { stride: [1, 1, 1] }),
    'conv2d: stride is [1,1,1], expected',
  ],
  [
    'dilation 0',
    OptionError,
    () => ops.conv1d(ops.zeros([1, 4, 3]), ops.zeros([4, 3, 3]), { dilation: 0 }),
    'conv1d: dilation is 0, expected a whole number >= 1',
  ],
  [
    'groups 0',
    OptionError,
    () => ops.conv2d(image, kernel, { groups: 0 }),
    'conv2d: groups is 0, expected a whole number >= 1',
  ],
  [
    'groups that do not divide',
    OptionError,
    () => ops.conv2d(image, ops.zeros([4, 1, 3, 3]), { groups: 3 }),
    'conv2d: groups is 3, expected a divisor of the 4 output channels',
  ],
  [
    'groups that do not divide the input',
    OptionError,
    () => ops.convTranspose2d(image, ops.zeros([3, 1, 3, 3]), { groups: 2 }),
    'convTranspose2d: groups is 2, expected a divisor of the 3 input channels',
  ],
  [
    'negative padding',
    OptionError,
    () => ops.conv2d(image, kernel, { padding: -1 }),
    "conv2d: padding is -1, expected a whole number >= 0, 'valid', 'same', 'full' or 2 numbers or pairs [low, high]",
  ],
  [
    'a triple of padding',
    OptionError,
    () => ops.conv2d(image, kernel, { padding: [[1, 1, 1], 0] as never }),
    'conv2d: padding is [[1,1,1],0], expected',
  ],
  [
    'padding by another name',
    OptionError,
    () => ops.conv2d(image, kernel, { padding: 'Same' as never }),
    "conv2d: padding is 'Same', expected 'valid', 'same', 'full' or numbers. Did you mean \"same\"?",
  ],
  [
    'another mode',
    OptionError,
    () => ops.conv2d(image, kernel, { paddingMode: 'mirror' as never }),
    "conv2d: paddingMode is 'mirror', expected zeros, reflect, replicate, circular",
  ],
  [
    'a mirror that is too wide',
    ShapeError,
    () => ops.conv2d(image, kernel, { padding: 8, paddingMode: 'reflect' }),
    'pad: got widths 8 and 8 for axis 1',
  ],
  [
    'a misspelt option',
    OptionError,
    () => ops.conv2d(image, kernel, { strides: 2 } as never),
    'conv2d: unknown option "strides", expected bias, stride',
  ],
  [
    'a mode where there is none',
    OptionError,
    () => ops.convTranspose2d(image, kernel, { paddingMode: 'zeros' } as never),
    'convTranspose2d: unknown option "paddingMode"',
  ],
  [
    'a bias of another size',
    ShapeError,
    () => ops.conv2d(image, kernel, { bias: ops.zeros([3]) }),
    'conv2d: got bias [3], expected [4]',
  ],
  [
    'outputPadding of a stride or more',
    OptionError,
    () => ops.convTranspose2d(image, ops.zeros([3, 2, 2, 2]), { stride: 2, outputPadding: 2 }),
    'convTranspose2d: outputPadding is 2 with stride 2 and dilation 1, expected less than 2',
  ],
  [
    'outputPadding with same',
    OptionError,
    () => ops.convTranspose2d(image, ops.zeros([3, 2, 2, 2]), { stride: 2, outputPadding: 1, padding: 'same' }),
    "convTranspose2d: outputPadding is 1 with padding 'same', whose output has input × stride positions",
  ],
  [
    'padding that leaves nothing',
    ShapeError,
    () => ops.convTranspose1d(ops.zeros([1, 1, 3]), ops.zeros([3, 1, 2]), { padding: 1 }),
    'convTranspose1d: the padding leaves 0 positions of [1,1,3] with kernel 2, expected 1 or more; use less padding',
  ],
  [
    'int32',
    DTypeError,
    () => ops.conv1d(ops.cast(ops.zeros([1, 4, 1]), 'int32'), ops.cast(ops.zeros([1, 1, 1]), 'int32')),
    'conv1d: got int32, expected float32 or float64',
  ],
];

describe('errors say the op, what came, and what to do', () => {
  it.each(WRONG)('%s', (_, kind, run, says) => {
    let error: unknown;
    try {
      run();
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toContain(says);
  });
});

describe('dtypes', () => {
  it.each([
    ['number takes the tensor dtype', ops.add(n, 1), 'int32'],
    ['float with int', ops.add(x, ops.zeros([3], { dtype: 'int32' })), 'float32'],
    ['bool with float64', ops.mul(ops.cast(d, 'bool'), d), 'float64'],
    ['bool with a whole number', ops.add(b, 2), 'int32'],
    ['bool with a fraction', ops.mul(b, 0.5), 'float32'],
    ['uint8 with int32', ops.add(ops.cast(n, 'uint8'), n), 'int32'],
    ['uint8 sum', ops.sum(ops.cast(n, 'uint8')), 'int32'],
    ['uint8 max', ops.max(ops.cast(n, 'uint8')), 'uint8'],
    ['comparison', ops.less(x, 1), 'bool'],
    ['argmax', ops.argmax(d), 'int32'],
    ['whole arange', ops.arange(3), 'int32'],
    ['fractional arange', ops.arange(0, 1, 0.5), 'float32'],
    ['bernoulli of bool', ops.bernoulli([2], { dtype: 'bool' }), 'bool'],
  ] as const)('%s', (_, t, dtype) => {
    expect(t.dtype).toBe(dtype);
  });
});

describe('an option that an operation does not have', () => {
  const misspelt = { keepdims: true } as never;
  const others = { dim: 0 } as never;
  it.each<[string, () => unknown]>([
    ['sum', () => ops.sum(x, misspelt)],
    ['prod', () => ops.prod(x, misspelt)],
    ['max', () => ops.max(x, misspelt)],
    ['min', () => ops.min(x, misspelt)],
    ['mean', () => ops.mean(x, misspelt)],
    ['any', () => ops.any(x, misspelt)],
    ['all', () => ops.all(x, misspelt)],
    ['logSumExp', () => ops.logSumExp(x, misspelt)],
    ['variance', () => ops.variance(x, misspelt)],
    ['std', () => ops.std(x, misspelt)],
    ['norm', () => ops.norm(x, misspelt)],
    ['argmax', () => ops.argmax(x, misspelt)],
    ['argmin', () => ops.argmin(x, misspelt)],
    ['renorm', () => ops.renorm(x, 1, others)],
    ['cumsum', () => ops.cumsum(x, others)],
    ['cumprod', () => ops.cumprod(x, others)],
    ['sort', () => ops.sort(x, others)],
    ['argsort', () => ops.argsort(x, others)],
    ['topK', () => ops.topK(x, 1, others)],
    ['softmax', () => ops.softmax(x, others)],
    ['logSoftmax', () => ops.logSoftmax(x, others)],
    ['maxout', () => ops.maxout(x, 3, others)],
    ['glu', () => ops.glu(x, others)],
    ['swiglu', () => ops.swiglu(x, others)],
    ['step', () => ops.step(x, others)],
    ['hardTanh', () => ops.hardTanh(x, others)],
    ['gelu', () => ops.gelu(x, others)],
    ['softplus', () => ops.softplus(x, others)],
    ['take', () => ops.take(x, n, others)],
    ['gather', () => ops.gather(x, n, others)],
    ['scatter', () => ops.scatter(x, n, 0, others)],
    ['pad', () => ops.pad(x, [], others)],
    ['matmul', () => ops.matmul(x, x, others)],
    ['solveTriangular', () => ops.solveTriangular(x, x, others)],
    ['histogram', () => ops.histogram(x, others)],
    ['bincount', () => ops.bincount(n, 2, others)],
    ['layerNorm', () => ops.layerNorm(x, [3], others)],
    ['rmsNorm', () => ops.rmsNorm(x, [3], others)],
    ['batchNorm', () => ops.batchNorm(x, others)],
    ['groupNorm', () => ops.groupNorm(x, 3, others)],
    ['zeros', () => ops.zeros([2], others)],
    ['ones', () => ops.ones([2], others)],
    ['uniform', () => ops.uniform([2], others)],
    ['normal', () => ops.normal([2], others)],
    ['bernoulli', () => ops.bernoulli([2], others)],
    ['full', () => ops.full([2], 1, others)],
    ['arange', () => ops.arange(0, 2, 1, others)],
    ['linspace', () => ops.linspace(0, 1, 2, others)],
    ['eye', () => ops.eye(2, 2, others)],
    ['oneHot', () => ops.oneHot(n, 2, others)],
    ['categorical', () => ops.categorical(x, others)],
  ])('is refused by %s', (name, call) => {
    expect(call).toThrow(OptionError);
    expect(call).toThrow(`${name}: unknown option "`);
  });
});

describe('methods', () => {
  it('are the functions with the tensor first', () => {
    const y = x.reshape([3, 2]).transpose().add(1).mul(x).sum({ axis: 1, keepDims: true });
    expect([y.shape, y.op.name, y.inputs[0].op.name]).toEqual([[2, 1], 'sum', 'mul']);
    expect(x.split([1, 2], 1).map((t) => t.shape)).toEqual([
      [2, 1],
      [2, 2],
    ]);
  });
  it('exist for every operation that starts from a tensor', () => {
    const square = ops.cast(x.slice([{ end: 2 }, { end: 2 }]), 'float32');
    const same: readonly (readonly [Tensor, Tensor])[] = [
      [x.leakyRelu(0.2), ops.leakyRelu(x, 0.2)],
      [x.hardTanh({ max: 2 }), ops.hardTanh(x, { max: 2 })],
      [x.maxout(3), ops.maxout(x, 3)],
      [square.solve(square), ops.solve(square, square)],
      [square.cholesky(), ops.cholesky(square)],
      [x.renorm(1, { axis: 0 }), ops.renorm(x, 1, { axis: 0 })],
      [x.histogram({ bins: 3 }).counts, ops.histogram(x, { bins: 3 }).counts],
      [x.where(x.greater(0), 7), ops.where(x.greater(0), x, 7)],
    ];
    for (const [method, fn] of same) {
      expect([method.op.name, method.shape]).toEqual([fn.op.name, fn.shape]);
      expect(method.inputs.map((t) => t.op.name)).toEqual(fn.inputs.map((t) => t.op.name));
    }
  });
  it('do not show up when a tensor is enumerated', () => {
    for (const key in x) expect(Object.hasOwn(x, key)).toBe(true);
  });
});
