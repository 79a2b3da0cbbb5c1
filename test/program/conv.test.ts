import { afterEach, describe, expect, it } from 'vitest';
import { configure, grad, info, type Tensor, tensor } from '../../src/core.js';
import { settings } from '../../src/engine/settings.js';
import { inputLeaf } from '../../src/graph/leaves.js';
import * as ops from '../../src/ops/index.js';
import { both, graphOf } from './harness.js';

/** What a convolution's instruction takes in of what follows, as a product does: and that no bit changes by it. */
const X = [2, 7, 9, 3];
const SHAPES = [X, [16, 3, 3, 3], [16], [17, 8, 3, 2], [17], [17, 4, 3, 3], [8]];

/** Two convolutions (the second grouped and strided) and a transposed one, with bias and activation; a weighted sum of it. */
function net([x, w1, b1, w2, b2, w3, b3]: readonly Tensor[]): Tensor {
  const h = ops.relu(ops.conv2d(x, w1, { bias: b1, padding: 'same' }));
  const w = ops.concat([w2, ops.mul(w2, 0.5)], 0);
  const z = ops.tanh(ops.conv2d(h, w, { bias: ops.concat([b2, b2]), groups: 2, stride: 2, padding: 1 }));
  const half = ops.slice(z, [{}, {}, {}, { end: 17 }]);
  const y = ops.sigmoid(ops.convTranspose2d(half, ops.concat([w3, w3], 1), { bias: b3, stride: 2 }));
  return ops.sum(ops.mul(y, ops.cos(y)));
}

describe('folding into convolutions', () => {
  it('bias, activation and the derivative of the activation before are one instruction', () => {
    const inputs = SHAPES.map((shape, i) => inputLeaf(i, shape, 'float32'));
    const gradients = grad(
      (...xs: Tensor[]) => net(xs),
      SHAPES.map((_, i) => i),
    )(...inputs);
    const { fused, eager } = both(graphOf([net(inputs), ...gradients]));
    const convs = fused.instructions.filter((i) => i.opcode.startsWith('CONV')).map((i) => `${i.opcode} ${i.op}`);
    expect(convs.sort()).toEqual([
      'CONV conv',
      'CONV conv+add+relu',
      'CONV conv+add+tanh',
      'CONV_DATA_GRAD convDataGrad',
      'CONV_DATA_GRAD convDataGrad+add+sigmoid',
      'CONV_DATA_GRAD convDataGrad+reluGrad',
      'CONV_WEIGHT_GRAD convWeightGrad',
      'CONV_WEIGHT_GRAD convWeightGrad',
      'CONV_WEIGHT_GRAD convWeightGrad',
    ]);
    expect(eager.instructions.filter((i) => i.opcode.startsWith('CONV')).every((i) => !i.op.includes('+'))).toBe(true);
    // Two operations for every product of places, channels and taps.
    const first = fused.instructions.find((i) => i.op === 'conv+add+relu');
    expect(first?.flops).toBe(2 * 2 * 7 * 9 * 16 * 27);
    expect(fused.listing).toMatch(
      /conv float32 \[2,1,7,9,3\]\*\[1,3,3\]=\[2,1,7,9,16\] pad 0,1,1 %\d+ %\d+ \+ %\d+ relu -> @\d+ {2}; conv\+add\+relu/,
    );
    expect(fused.listing).toMatch(/groups 2 stride 1,2,2 pad 0,1,1 .* relu' @\d+ -> /);
  });

  const { isas, isa, threads } = info();
  afterEach(() => {
    settings.eager = false;
    configure({ isa, threads });
  });

  it.each(isas)('%s: fused and eager, 1, 2 and 5 threads give the same bits', async (name) => {
    const inputs = SHAPES.map((shape, i) => {
      const n = shape.reduce((a, b) => a * b);
      return tensor(
        Float32Array.from({ length: n }, (_, k) => (((k * 7919 + i * 104729) % 1009) / 1009 - 0.5) * 0.9),
        {
          shape,
        },
      );
    });
    const results: Float32Array[] = [];
    for (const [eager, threads] of [
      [false, 1],
      [true, 1],
      [false, 2],
      [true, 5],
    ] as const) {
      configure({ isa: name, threads });
      settings.eager = eager;
      const gradients = grad(
        (...xs: Tensor[]) => net(xs),
        SHAPES.map((_, i) => i),
      )(...inputs);
      const values = await Promise.all(gradients.map((g) => g.data()));
      results.push(Float32Array.from(values.flatMap((v) => [...v])));
    }
    for (const other of results.slice(1)) expect(other).toEqual(results[0]);
    expect(results[0].every((v) => Number.isFinite(v)) && results[0].some((v) => v !== 0)).toBe(true);
  });
});
