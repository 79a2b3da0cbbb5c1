// A multilayer perceptron with ReLU, softmax cross-entropy and Adam in plain JavaScript: typed arrays, packed and blocked
// matrix products, no allocation after construction. The yardstick "as fast as JavaScript gets without native code".

const MR = 4;
const NR = 4;
const KC = 256;

/**
 * Packs a matrix into panels of `width` rows, each stored [k][width], zero beyond `rows`; so every product below reads both
 * operands in order, whatever is transposed. Element (row, k) is at row * rowStride + k * kStride.
 */
function pack(out, a, rows, rowStride, kStride, k0, k1, width) {
  let o = 0;
  for (let r = 0; r < rows; r += width) {
    for (let k = k0; k < k1; k++) {
      for (let i = 0; i < width; i++) out[o++] = r + i < rows ? a[(r + i) * rowStride + k * kStride] : 0;
    }
  }
}

/** Doubles, because V8 rounds float32 arithmetic through them: with Math.fround this runs at a third of the speed.
 * acc[4, 4] = sum over k of pa[k, 4] outer pb[k, 4], in sixteen local accumulators.
 */
// biome-ignore format: a block of sixteen reads better as a block
function micro(acc, pa, ia, pb, ib, k) {
  let c00 = 0, c01 = 0, c02 = 0, c03 = 0, c10 = 0, c11 = 0, c12 = 0, c13 = 0;
  let c20 = 0, c21 = 0, c22 = 0, c23 = 0, c30 = 0, c31 = 0, c32 = 0, c33 = 0;
  for (let p = 0; p < k; p++) {
    const b0 = pb[ib], b1 = pb[ib + 1], b2 = pb[ib + 2], b3 = pb[ib + 3];
    const a0 = pa[ia], a1 = pa[ia + 1], a2 = pa[ia + 2], a3 = pa[ia + 3];
    c00 += a0 * b0; c01 += a0 * b1; c02 += a0 * b2; c03 += a0 * b3;
    c10 += a1 * b0; c11 += a1 * b1; c12 += a1 * b2; c13 += a1 * b3;
    c20 += a2 * b0; c21 += a2 * b1; c22 += a2 * b2; c23 += a2 * b3;
    c30 += a3 * b0; c31 += a3 * b1; c32 += a3 * b2; c33 += a3 * b3;
    ia += MR;
    ib += NR;
  }
  acc[0] = c00; acc[1] = c01; acc[2] = c02; acc[3] = c03; acc[4] = c10; acc[5] = c11; acc[6] = c12; acc[7] = c13;
  acc[8] = c20; acc[9] = c21; acc[10] = c22; acc[11] = c23; acc[12] = c30; acc[13] = c31; acc[14] = c32; acc[15] = c33;
}

const acc = new Float64Array(MR * NR);
let packA = new Float64Array(0);
let packB = new Float64Array(0);

/** c[m, n] = a b, operands given by their strides: a(i, k) at i * am + k * ak, b(k, j) at k * bk + j * bn. */
export function gemm(c, a, am, ak, b, bk, bn, m, n, k) {
  const depth = Math.min(KC, k);
  const sizeA = Math.ceil(m / MR) * MR * depth;
  const sizeB = Math.ceil(n / NR) * NR * depth;
  if (packA.length < sizeA) packA = new Float64Array(sizeA);
  if (packB.length < sizeB) packB = new Float64Array(sizeB);
  for (let k0 = 0; k0 < k; k0 += KC) {
    const k1 = Math.min(k, k0 + KC);
    const kc = k1 - k0;
    pack(packA, a, m, am, ak, k0, k1, MR);
    pack(packB, b, n, bn, bk, k0, k1, NR);
    for (let j = 0; j < n; j += NR) {
      for (let i = 0; i < m; i += MR) {
        micro(acc, packA, i * kc, packB, j * kc, kc);
        const rows = Math.min(MR, m - i);
        const cols = Math.min(NR, n - j);
        for (let r = 0; r < rows; r++) {
          const at = (i + r) * n + j;
          for (let q = 0; q < cols; q++) c[at + q] = acc[r * NR + q] + (k0 === 0 ? 0 : c[at + q]);
        }
      }
    }
  }
}

/** One fully connected layer: its parameters, their Adam moments and the buffers of one batch. */
function layer(nIn, nOut, batch, random) {
  const bound = 1 / Math.sqrt(nIn);
  const make = (n) => ({
    w: Float32Array.from({ length: n }, () => (2 * random() - 1) * bound),
    g: new Float32Array(n),
    m: new Float32Array(n),
    v: new Float32Array(n),
  });
  return {
    nIn,
    nOut,
    weight: make(nOut * nIn),
    bias: make(nOut),
    out: new Float32Array(batch * nOut),
    delta: new Float32Array(batch * nOut),
  };
}

export class Trainer {
  /** @param {number[]} sizes units of each layer, inputs first. */
  constructor(sizes, batch, { lr = 1e-3, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, random = Math.random } = {}) {
    Object.assign(this, { batch, lr, beta1, beta2, eps, step: 0 });
    this.layers = sizes.slice(1).map((nOut, i) => layer(sizes[i], nOut, batch, random));
  }

  /** Mean cross-entropy of the batch x [batch, inputs], labels [batch]; leaves gradients in `layers[i].weight.g` and `.bias.g`. */
  lossAndGradients(x, labels) {
    const { layers, batch } = this;
    const last = layers.length - 1;
    let input = x;
    for (const [i, l] of layers.entries()) {
      gemm(l.out, input, l.nIn, 1, l.weight.w, 1, l.nIn, batch, l.nOut, l.nIn);
      const { out, nOut } = l;
      const bias = l.bias.w;
      for (let r = 0, o = 0; r < batch; r++) {
        for (let j = 0; j < nOut; j++, o++) {
          const z = out[o] + bias[j];
          out[o] = z > 0 || i === last ? z : 0;
        }
      }
      input = out;
    }
    const loss = this.#softmaxCrossEntropy(layers[last], labels);
    for (let i = last; i >= 0; i--) {
      const l = layers[i];
      const below = i === 0 ? x : layers[i - 1].out;
      gemm(l.weight.g, l.delta, 1, l.nOut, below, l.nIn, 1, l.nOut, l.nIn, batch);
      l.bias.g.fill(0);
      for (let r = 0, o = 0; r < batch; r++) for (let j = 0; j < l.nOut; j++, o++) l.bias.g[j] += l.delta[o];
      if (i > 0) {
        const { delta, out } = layers[i - 1];
        gemm(delta, l.delta, l.nOut, 1, l.weight.w, l.nIn, 1, batch, l.nIn, l.nOut);
        for (let o = 0; o < delta.length; o++) if (out[o] <= 0) delta[o] = 0;
      }
    }
    return loss;
  }

  #softmaxCrossEntropy({ out, delta, nOut }, labels) {
    let loss = 0;
    for (let r = 0; r < this.batch; r++) {
      const row = r * nOut;
      let max = -Infinity;
      for (let j = 0; j < nOut; j++) max = Math.max(max, out[row + j]);
      let sum = 0;
      for (let j = 0; j < nOut; j++) sum += Math.exp(out[row + j] - max);
      loss += Math.log(sum) + max - out[row + labels[r]];
      const scale = 1 / (sum * this.batch);
      for (let j = 0; j < nOut; j++) delta[row + j] = Math.exp(out[row + j] - max) * scale;
      delta[row + labels[r]] -= 1 / this.batch;
    }
    return loss / this.batch;
  }

  /** Adam, PyTorch's formula, on every parameter. */
  update() {
    const { lr, beta1, beta2, eps } = this;
    this.step += 1;
    const rate = lr / (1 - beta1 ** this.step);
    const correction = 1 / Math.sqrt(1 - beta2 ** this.step);
    for (const l of this.layers) {
      for (const { w, g, m, v } of [l.weight, l.bias]) {
        for (let i = 0; i < w.length; i++) {
          const gi = g[i];
          const mi = m[i] + (1 - beta1) * (gi - m[i]);
          const vi = beta2 * v[i] + (1 - beta2) * gi * gi;
          m[i] = mi;
          v[i] = vi;
          w[i] -= (rate * mi) / (Math.sqrt(vi) * correction + eps);
        }
      }
    }
  }

  /** One training step; returns the loss before the update. */
  trainStep(x, labels) {
    const loss = this.lossAndGradients(x, labels);
    this.update();
    return loss;
  }
}
