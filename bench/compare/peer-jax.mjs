// Peer: jax-js on its WebAssembly backend, the whole step (loss, gradients, optimizer) in one jit.
//   node peer-jax.mjs [adam|sgd]      installed on demand by run.mjs under peers/
import { readFileSync } from 'node:fs';
import { batches, mnistTrain } from './mnist.mjs';
import { serve } from './peer.mjs';

const root = new URL('./peers/node_modules/@jax-js/jax/', import.meta.url);
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
const jax = await import(new URL('dist/index.js', root));
const { numpy: np, nn, jit, valueAndGrad, init, defaultDevice, tree } = jax;
await init('wasm');
defaultDevice('wasm');

const adam = process.argv[2] !== 'sgd';
const BATCH = 128;
const LR = adam ? 1e-3 : 0.1;
const SIZES = [784, 128, 128, 10];
const { x, y, count } = mnistTrain();
const next = batches(count, BATCH);

const randomArray = (shape, bound) =>
  np
    .array(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (2 * Math.random() - 1) * bound))
    .reshape(shape);
let params = SIZES.slice(1).map((n, i) => {
  const bound = 1 / Math.sqrt(SIZES[i]);
  return { w: randomArray([SIZES[i], n], bound), b: randomArray([n], bound) };
});
const zeros = () => SIZES.slice(1).map((n, i) => ({ w: np.zeros([SIZES[i], n]), b: np.zeros([n]) }));
let state = adam ? { m: zeros(), v: zeros() } : {};

// Arrays are reference counted: `.ref` marks every use but the last.
function lossOf(p, xb, target) {
  let h = xb;
  for (const [i, { w, b }] of p.entries()) {
    h = np.matmul(h, w).add(b);
    if (i < p.length - 1) h = nn.relu(h);
  }
  return nn
    .logSoftmax(h)
    .mul(target)
    .sum()
    .mul(-1 / BATCH);
}

const B1 = 0.9;
const B2 = 0.999;
function adamStep(p, g, { m, v }, rate, correction) {
  m = tree.map((mi, gi) => mi.mul(B1).add(gi.mul(1 - B1)), m, tree.ref(g));
  v = tree.map((vi, gi) => vi.mul(B2).add(np.square(gi).mul(1 - B2)), v, g);
  p = tree.map(
    (pi, mi, vi) => pi.sub(mi.mul(rate.ref).div(np.sqrt(vi).mul(correction.ref).add(1e-8))),
    p,
    tree.ref(m),
    tree.ref(v),
  );
  rate.dispose();
  correction.dispose();
  return [p, { m, v }];
}

const step = jit((p, s, xb, labels, rate, correction) => {
  const target = nn.oneHot(labels, 10);
  const [loss, g] = valueAndGrad(lossOf)(tree.ref(p), xb, target);
  if (adam) return [loss, ...adamStep(p, g, s, rate, correction)];
  correction.dispose();
  const moved = tree.map((pi, gi) => pi.sub(gi.mul(rate.ref)), p, g);
  rate.dispose();
  return [loss, moved, s];
});

const xb = new Float32Array(BATCH * 784);
const yb = new Int32Array(BATCH);
let t = 0;
const about = {
  optimizer: adam ? 'Adam (own, in the jit)' : 'SGD (own, in the jit)',
  loss: 'log-softmax cross-entropy, one-hot',
  batch: BATCH,
  threads: 1, // it uses more only where a global Worker exists, which Node does not have
  version: `@jax-js/jax ${version}, wasm`,
};
await serve(about, async (steps) => {
  let loss;
  for (let s = 0; s < steps; s++) {
    const rows = next();
    for (let r = 0; r < BATCH; r++) {
      xb.set(x.subarray(rows[r] * 784, rows[r] * 784 + 784), r * 784);
      yb[r] = y[rows[r]];
    }
    t += 1;
    const rate = adam ? LR / (1 - B1 ** t) : LR;
    const correction = adam ? 1 / Math.sqrt(1 - B2 ** t) : 1;
    loss?.dispose();
    [loss, params, state] = step(
      params,
      state,
      np.array(xb).reshape([BATCH, 784]),
      np.array(yb),
      np.array(rate, { dtype: np.float32 }),
      np.array(correction, { dtype: np.float32 }),
    );
  }
  return (await loss.ref.data())[0];
});
