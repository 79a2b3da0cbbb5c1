// A perceptron in plain loops over typed arrays: for layers so small that packing costs more than it gives, the fastest
// JavaScript there is. The same interface as compare/js-trainer.mjs; weights are [inputs, units].
export class LoopTrainer {
  constructor(sizes, batch, { loss = 'crossEntropy', lr = 1e-3 } = {}) {
    Object.assign(this, { batch, loss, lr, step: 0 });
    this.layers = sizes.slice(1).map((nOut, i) => {
      const nIn = sizes[i];
      const bound = 1 / Math.sqrt(nIn);
      const size = (nIn + 1) * nOut; // weights, then biases: one array, one update
      return {
        nIn,
        nOut,
        w: Float64Array.from({ length: size }, () => (2 * Math.random() - 1) * bound),
        g: new Float64Array(size),
        m: new Float64Array(size),
        v: new Float64Array(size),
        out: new Float64Array(nOut),
        delta: new Float64Array(nOut),
      };
    });
  }

  /** One training step on x [batch, inputs] and y (labels, or targets [batch, outputs]); the loss before it. */
  trainStep(x, y) {
    const { layers, batch } = this;
    const last = layers[layers.length - 1];
    let loss = 0;
    for (const l of layers) l.g.fill(0);
    for (let r = 0; r < batch; r++) {
      this.#forward(x, r);
      loss += this.loss === 'mse' ? this.#squares(last, y, r) : this.#crossEntropy(last, y[r]);
      this.#backward(x, r);
    }
    this.#update();
    return loss;
  }

  #forward(x, r) {
    const { layers } = this;
    let input = x;
    let base = r * layers[0].nIn;
    for (let i = 0; i < layers.length; i++) {
      const { nIn, nOut, w, out } = layers[i];
      for (let j = 0, b = nIn * nOut; j < nOut; j++) out[j] = w[b + j];
      for (let p = 0, at = 0; p < nIn; p++) {
        const value = input[base + p];
        if (value === 0) {
          at += nOut; // half of a ReLU's outputs
          continue;
        }
        for (let j = 0; j < nOut; j++) out[j] += value * w[at++];
      }
      if (i < layers.length - 1) for (let j = 0; j < nOut; j++) if (!(out[j] > 0)) out[j] = 0;
      input = out;
      base = 0;
    }
  }

  #squares({ out, delta, nOut }, y, r) {
    const scale = 1 / (this.batch * nOut);
    let loss = 0;
    for (let j = 0; j < nOut; j++) {
      const d = out[j] - y[r * nOut + j];
      loss += d * d * scale;
      delta[j] = 2 * d * scale;
    }
    return loss;
  }

  #crossEntropy({ out, delta, nOut }, label) {
    let max = -Infinity;
    for (let j = 0; j < nOut; j++) if (out[j] > max) max = out[j];
    let sum = 0;
    for (let j = 0; j < nOut; j++) {
      delta[j] = Math.exp(out[j] - max);
      sum += delta[j];
    }
    const scale = 1 / (sum * this.batch);
    for (let j = 0; j < nOut; j++) delta[j] *= scale;
    delta[label] -= 1 / this.batch;
    return (Math.log(sum) + max - out[label]) / this.batch;
  }

  #backward(x, r) {
    const { layers } = this;
    for (let i = layers.length - 1; i >= 0; i--) {
      const { nIn, nOut, w, g, delta } = layers[i];
      const input = i === 0 ? x : layers[i - 1].out;
      const base = i === 0 ? r * nIn : 0;
      const below = i === 0 ? null : layers[i - 1].delta;
      for (let j = 0, b = nIn * nOut; j < nOut; j++) g[b + j] += delta[j];
      for (let p = 0, at = 0; p < nIn; p++) {
        const value = input[base + p];
        if (i > 0 && value === 0) {
          below[p] = 0;
          at += nOut;
          continue;
        }
        if (below === null) {
          for (let j = 0; j < nOut; j++) g[at++] += value * delta[j];
        } else {
          let sum = 0;
          for (let j = 0; j < nOut; j++, at++) {
            g[at] += value * delta[j];
            sum += delta[j] * w[at];
          }
          below[p] = sum;
        }
      }
    }
  }

  #update() {
    this.step += 1;
    const rate = this.lr / (1 - 0.9 ** this.step);
    const correction = 1 / Math.sqrt(1 - 0.999 ** this.step);
    for (const { w, g, m, v } of this.layers) {
      for (let i = 0; i < w.length; i++) {
        const gi = g[i];
        const mi = m[i] + 0.1 * (gi - m[i]);
        const vi = 0.999 * v[i] + 0.001 * gi * gi;
        m[i] = mi;
        v[i] = vi;
        w[i] -= (rate * mi) / (Math.sqrt(vi) * correction + 1e-8);
      }
    }
  }
}
