import { describe, expect, it } from 'vitest';
import {
  crossEntropy,
  customGrad,
  dropout,
  GradError,
  gradCheck,
  layerNorm,
  linear,
  mul,
  normal,
  seed,
  sum,
  type Tensor,
  tanh,
  tensor,
} from '../../src/index.js';

seed(6);
const f64 = (values: number[], shape = [values.length]): Tensor => tensor(Float64Array.from(values), { shape });

describe('gradCheck', () => {
  it('passes a network to second order, over trees', async () => {
    const labels = tensor([2, 0], { dtype: 'int32' });
    const net = (p: { w: Tensor; b: Tensor[] }, x: Tensor, y: Tensor) =>
      crossEntropy(layerNorm(tanh(linear(x, p.w, p.b[0])), [3]), y);
    const point = { w: normal([3, 2], { dtype: 'float64' }), b: [normal([3], { dtype: 'float64' })] };
    const report = await gradCheck(net, [point, normal([2, 2], { dtype: 'float64' }), labels], { order: 2 });
    // 6 + 3 + 4 elements, and again by them and the one cotangent.
    expect(report.checked).toBe(13 + 14);
    expect(report.maxError).toBeLessThan(1e-9);
  });
  it('passes random functions: each evaluation draws the same', async () => {
    seed(1);
    await gradCheck((x: Tensor) => dropout(x, 0.5).square(), [normal([6], { dtype: 'float64' })], { order: 2 });
  });
  it('is far finer than a wrong factor of 1 + 1e-6', async () => {
    const wrong = customGrad(
      (x: Tensor) => x.exp(),
      ({ grad, output }) => [mul(grad, output).mul(1 + 1e-6)],
    );
    await expect(gradCheck((x: Tensor) => sum(wrong(x)), [f64([0.5, 1])])).rejects.toThrow(
      /gradCheck: gradient of argument 0 \[2\], element 0: the rules give 1\.64872.*, differences give 1\.64872/,
    );
    const second = customGrad(
      (x: Tensor) => x.sin(),
      ({ grad, inputs: [x] }) => [mul(grad, x.cos().stopGradient())],
    );
    await gradCheck((x: Tensor) => second(x), [f64([0.5])]);
    await expect(gradCheck((x: Tensor) => second(x), [f64([0.5])], { order: 2 })).rejects.toThrow(
      'second derivative of argument 0 [1], element 0: the rules give 0',
    );
  });
  it('says so at a kink, at it and beside it', async () => {
    await gradCheck((x: Tensor) => x.relu(), [f64([1, -1])]);
    await expect(gradCheck((x: Tensor) => x.relu(), [f64([1, 1e-3])])).rejects.toThrow(/element 1: .*there is a kink/);
    await expect(gradCheck((x: Tensor) => x.relu(), [f64([0])])).rejects.toThrow(
      'the rules give 0, differences give 0.5',
    );
  });
  it('takes zero, flat and large places', async () => {
    await gradCheck((x: Tensor) => x.pow(3), [f64([0, 1e4, -1e-8])], { order: 2 });
    await gradCheck((x: Tensor) => x.mul(0), [f64([1])]);
  });
  it('refuses what it cannot check', async () => {
    const id = (x: Tensor) => x;
    await expect(gradCheck(id, [tensor([1])])).rejects.toThrow(
      "gradCheck: argument 0 is float32, expected float64; add .cast('float64')",
    );
    await expect(gradCheck(id, [tensor([1], { dtype: 'int32' })])).rejects.toThrow(GradError);
    await expect(gradCheck((x: Tensor) => x.cast('float32'), [f64([1])])).rejects.toThrow('the result is float32');
    await expect(gradCheck((x: Tensor) => x.argmax(), [f64([1])])).rejects.toThrow('returned no float tensor');
    await expect(gradCheck(id, f64([1]) as never)).rejects.toThrow('write gradCheck(fn, [x, y])');
    await expect(gradCheck(id, [f64([1])], { order: 3 as never })).rejects.toThrow('order is 3, expected 1 or 2');
    await expect(gradCheck(id, [f64([1])], { step: 0 })).rejects.toThrow('step is 0');
    await expect(gradCheck((x: Tensor) => x.log(), [f64([-1])])).rejects.toThrow('NaN');
  });
});
