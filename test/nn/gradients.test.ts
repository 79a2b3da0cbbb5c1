import { describe, expect, it } from 'vitest';
import { gradCheck, nn, normal, type Shape, seed, type Tensor, tensor } from '../../src/index.js';

const f64 = { dtype: 'float64' } as const;
const size = (shape: Shape) => shape.reduce((a, b) => a * b, 1);

/** Distinct values 4 / n apart in an order without pattern: differences of the check's step move no maximum. */
function spread(shape: Shape): Tensor {
  const n = size(shape);
  return tensor(
    Float64Array.from({ length: n }, (_, i) => (((i * 7919) % n) / n) * 4 - 2),
    { shape },
  );
}

const LAYERS: readonly [name: string, layer: () => nn.Module, shape: Shape][] = [
  ['MaxPool3d', () => new nn.MaxPool3d(2, { stride: 1, padding: [1, 0, 1] }), [1, 2, 3, 2, 2]],
  ['AvgPool3d', () => new nn.AvgPool3d([1, 2, 2], { stride: [1, 1, 2], padding: [0, 1, 0] }), [1, 2, 3, 2, 2]],
  ['AdaptiveMaxPool3d', () => new nn.AdaptiveMaxPool3d([1, 2, 2]), [1, 2, 3, 2, 1]],
  ['GlobalMaxPool2d', () => new nn.GlobalMaxPool2d(), [2, 2, 3, 2]],
  ['ReplicationPad2d', () => new nn.ReplicationPad2d([2, 0, 1, 3]), [1, 2, 2, 2]],
  ['ReflectionPad2d', () => new nn.ReflectionPad2d([1, 0, 1, 1]), [1, 2, 3, 1]],
  ['BatchNorm1d', () => new nn.BatchNorm1d(2, f64), [5, 2]],
  ['BatchNorm2d', () => new nn.BatchNorm2d(2, { affine: false, ...f64 }), [2, 2, 2, 2]],
  ['BatchNorm3d', () => new nn.BatchNorm3d(2, f64), [2, 2, 1, 2, 2]],
  ['InstanceNorm1d', () => new nn.InstanceNorm1d(2, { affine: true, ...f64 }), [2, 3, 2]],
  ['InstanceNorm2d', () => new nn.InstanceNorm2d(2, f64), [1, 2, 2, 2]],
  ['InstanceNorm3d', () => new nn.InstanceNorm3d(2, { affine: true, ...f64 }), [2, 2, 1, 2, 2]],
  ['LayerNorm', () => new nn.LayerNorm([2, 3], f64), [2, 2, 3]],
  ['RMSNorm', () => new nn.RMSNorm(3, f64), [2, 3]],
  ['GroupNorm', () => new nn.GroupNorm(2, 4, f64), [2, 2, 4]],
  ['weightNorm', () => nn.weightNorm(new nn.Linear(3, 2, f64)), [2, 3]],
  ['spectralNorm in evaluation', () => nn.spectralNorm(new nn.Linear(3, 2, f64)).eval(), [2, 3]],
  ['Dropout', () => new nn.Dropout(0.5), [2, 4]],
  ['Dropout1d', () => new nn.Dropout1d(0.5), [2, 2, 3]],
  ['Dropout2d', () => new nn.Dropout2d(0.5), [2, 2, 1, 3]],
  ['AlphaDropout', () => new nn.AlphaDropout(0.5), [2, 4]],
  ['DropPath', () => new nn.DropPath(0.5), [4, 2]],
  ['DepthwiseSeparable', () => new nn.DepthwiseSeparable(2, 3, { stride: 2, ...f64 }), [1, 3, 4, 2]],
];

describe('gradients of layers, by input and parameters, are those of differences in float64', () => {
  it.each(LAYERS)('%s, first and second order', async (_, make, shape) => {
    seed(5);
    const layer = make();
    const cells = layer.parameters();
    const values = cells.map((cell) => normal(cell.shape, { mean: 0.5, ...f64 }));
    const run = (x: Tensor, weights: readonly Tensor[]) => {
      for (const [i, cell] of cells.entries()) cell.assign(weights[i]);
      return layer.forward(x);
    };
    const report = await gradCheck(run, [spread(shape), values], { order: 2 });
    const inputs = size(shape) + cells.reduce((n, cell) => n + size(cell.shape), 0);
    expect(report.checked).toBeGreaterThanOrEqual(2 * inputs);
  });

  it('penalties too', async () => {
    const penalties = (x: Tensor) => [nn.l1(0.3)(x), nn.l2(0.2)(x), nn.elasticNet(0.1, 0.2)(x)];
    await gradCheck(penalties, [spread([2, 2]).sub(0.1)], { order: 2 });
  });
});
