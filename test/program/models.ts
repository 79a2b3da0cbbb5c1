// Graphs of whole training steps and evaluations, as `compile` traces them.
import { valueAndGrad } from '../../src/autodiff/index.js';
import { hostScalar } from '../../src/graph/feed.js';
import { inputLeaf } from '../../src/graph/leaves.js';
import { Parameter, type State } from '../../src/graph/state.js';
import type { Tensor } from '../../src/graph/tensor.js';
import { graphState } from '../../src/graph/trace.js';
import * as ops from '../../src/ops/index.js';
import { cell, type Graph, traced, valuesFor } from './harness.js';

const ADAM = {
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  epsInSqrt: false,
  biasCorrection: true,
  amsgrad: false,
};
const SGD = { momentum: 0.9, dampening: 0, weightDecay: 1e-4, nesterov: false, form: 'sum' } as const;

/** Weights and biases of dense layers, with an activation between them. */
class Net {
  readonly cells = new Map<string, Parameter>();
  private readonly activation: (x: Tensor) => Tensor;

  constructor(sizes: readonly number[], activation: (x: Tensor) => Tensor) {
    this.activation = activation;
    for (let i = 0; i + 1 < sizes.length; i++) {
      this.add(`${i}.weight`, [sizes[i + 1], sizes[i]]);
      this.add(`${i}.bias`, [sizes[i + 1]]);
    }
  }

  private add(name: string, shape: readonly number[]): void {
    const parameter = new Parameter(ops.zeros(shape), name);
    graphState.pending.delete(parameter);
    this.cells.set(name, parameter);
  }

  trainableCells(): ReadonlyMap<string, Parameter> {
    return this.cells;
  }

  forward(x: Tensor): Tensor {
    const layers = this.cells.size / 2;
    let h = x;
    for (let i = 0; i < layers; i++) {
      const read = (name: string) => (this.cells.get(`${i}.${name}`) as Parameter).read();
      h = ops.linear(h, read('weight'), read('bias'));
      if (i + 1 < layers) h = this.activation(h);
    }
    return h;
  }
}

const crossEntropy = (logits: Tensor, y: Tensor) => ops.mean(ops.softmaxCrossEntropy(logits, y));
const zero = (shape: readonly number[], name: string): State => cell(shape, 'float32', name);

function adam(net: Net): (grads: Readonly<Record<string, Tensor>>) => void {
  const step = cell([], 'int32', 'step');
  const slots = [...net.cells].map(([name, w]) => ({
    name,
    w,
    m: zero(w.shape, `${name}.m`),
    v: zero(w.shape, `${name}.v`),
  }));
  return (grads) => {
    const params = slots.map(({ name, w, m, v }) => ({ w: w.read(), g: grads[name], slots: [m.read(), v.read()] }));
    const next = ops.optimizerStep(
      'adam',
      ADAM,
      hostScalar(() => 1e-3),
      step.read(),
      params,
    );
    step.assign(next.step);
    slots.forEach(({ w, m, v }, i) => {
      w.assign(next.params[i].w);
      m.assign(next.params[i].slots[0]);
      v.assign(next.params[i].slots[1]);
    });
  };
}

function sgd(net: Net): (grads: Readonly<Record<string, Tensor>>) => void {
  const step = cell([], 'int32', 'step');
  const slots = [...net.cells].map(([name, w]) => ({ name, w, v: zero(w.shape, `${name}.v`) }));
  return (grads) => {
    const params = slots.map(({ name, w, v }) => ({ w: w.read(), g: grads[name], slots: [v.read()] }));
    const next = ops.optimizerStep(
      'sgd',
      SGD,
      hostScalar(() => 0.1),
      step.read(),
      params,
    );
    step.assign(next.step);
    slots.forEach(({ w, v }, i) => {
      w.assign(next.params[i].w);
      v.assign(next.params[i].slots[0]);
    });
  };
}

function trainingStep(
  net: Net,
  batch: number,
  inFeatures: number,
  update: (grads: Readonly<Record<string, Tensor>>) => void,
): Graph {
  return traced(() => {
    const x = inputLeaf(0, [batch, inFeatures], 'float32');
    const y = inputLeaf(1, [batch], 'int32');
    const [loss, grads] = valueAndGrad(net, (a: Tensor, b: Tensor) => crossEntropy(net.forward(a), b))(x, y);
    update(grads);
    return [loss];
  });
}

function zoo(): Graph {
  return traced(() => {
    const a = inputLeaf(0, [4, 3], 'float32');
    const row = inputLeaf(1, [3], 'float32');
    const bytes = inputLeaf(2, [4, 3], 'uint8');
    const cube = inputLeaf(3, [2, 4, 3], 'float32');
    const centred = ops.sub(a, ops.mean(a, { axis: 1, keepDims: true }));
    const scaled = ops.mul(ops.cast(bytes, 'float32'), 1 / 255);
    const moved = ops.add(ops.transpose(cube, 0, 1), row.shape.length > 0 ? ops.reshape(row, [1, 1, 3]) : row);
    return [
      ops.variance(a, { axis: 0, correction: 0 }),
      ops.mul(centred, ops.tanh(scaled)),
      ops.sum(cube, { axis: [0, 2] }),
      ops.argmax(cube, { axis: 1 }),
      ops.max(moved),
      ops.concat([a, ops.mul(a, row)], 0),
      ops.pad(row, [[1, 1]]),
      ops.matmul(cube, a, { transB: true }),
      ops.matmul(ops.transpose(cube, 1, 2), cube),
      ops.slice(ops.flip(a, [0]), [{ start: 1 }, { end: 2 }]),
      ops.cast(ops.greater(a, row), 'float32'),
      ops.full([2, 2], 7),
    ];
  });
}

const mlp = (): Net => new Net([784, 128, 128, 10], ops.relu);

export const cases: Record<string, () => Graph> = {
  'mlp-adam': () => {
    const net = mlp();
    return trainingStep(net, 128, 784, adam(net));
  },
  'mlp-evaluation': () => {
    const net = mlp();
    return traced(() => {
      const logits = net.forward(inputLeaf(0, [128, 784], 'float32'));
      const y = inputLeaf(1, [128], 'int32');
      const right = ops.equal(ops.argmax(logits, { axis: 1 }), y);
      return [crossEntropy(logits, y), ops.mean(ops.cast(right, 'float32'))];
    });
  },
  'logistic-sgd': () => {
    const net = new Net([8, 3], ops.relu);
    return trainingStep(net, 32, 8, sgd(net));
  },
  'tiny-2-16-1': () => {
    const net = new Net([2, 16, 1], ops.tanh);
    const update = adam(net);
    return traced(() => {
      const x = inputLeaf(0, [4, 2], 'float32');
      const y = inputLeaf(1, [4, 1], 'float32');
      const loss = (a: Tensor, b: Tensor) => ops.mean(ops.square(ops.sub(net.forward(a), b)));
      const [value, grads] = valueAndGrad(net, loss)(x, y);
      update(grads);
      return [value];
    });
  },
  'broadcast-reduce-zoo': zoo,
};

/** Values for a case; labels are in range. */
export function valuesOf(graph: Graph): Map<Tensor, number[]> {
  const values = valuesFor(graph);
  for (const n of graph.nodes) {
    if (n.dtype === 'int32' && n.shape.length === 1 && n.op.kind === 'leaf')
      values.set(n, new Array(n.shape[0]).fill(1));
  }
  return values;
}
