// Peer of bench/train.mjs: jax-js on WebAssembly, the whole step in one jit.   node jax-train.mjs NET
import { readFileSync } from 'node:fs';
import { batches } from '../compare/mnist.mjs';
import { serve } from '../compare/peer.mjs';
import { dataOf, netOf } from '../nets.mjs';

const root = new URL('../compare/peers/node_modules/@jax-js/jax/', import.meta.url);
const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'));
const { numpy: np, nn, jit, valueAndGrad, init, defaultDevice, tree } = await import(new URL('dist/index.js', root));
await init('wasm');
defaultDevice('wasm');

const net = netOf(process.argv[2]);
const { sizes, batch, rows } = net;
const outputs = sizes.at(-1);
const squares = net.loss === 'mse';
const { x, y } = dataOf(net);
const next = batches(rows, batch);

const randomArray = (shape, bound) =>
  np
    .array(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (2 * Math.random() - 1) * bound))
    .reshape(shape);
const layers = (make) => sizes.slice(1).map((n, i) => ({ w: make([sizes[i], n], i), b: make([n], i) }));
let params = layers((shape, i) => randomArray(shape, 1 / Math.sqrt(sizes[i])));
let state = { m: layers((shape) => np.zeros(shape)), v: layers((shape) => np.zeros(shape)) };

// Arrays are reference counted: `.ref` marks every use but the last.
function lossOf(p, xb, target) {
  let h = xb;
  for (const [i, { w, b }] of p.entries()) {
    h = np.matmul(h, w).add(b);
    if (i < p.length - 1) h = nn.relu(h);
  }
  if (squares)
    return np
      .square(h.sub(target))
      .sum()
      .mul(1 / (batch * outputs));
  return nn
    .logSoftmax(h)
    .mul(target)
    .sum()
    .mul(-1 / batch);
}

const step = jit((p, { m, v }, xb, yb, rate, correction) => {
  const target = squares ? yb : nn.oneHot(yb, outputs);
  const [loss, g] = valueAndGrad(lossOf)(tree.ref(p), xb, target);
  m = tree.map((mi, gi) => mi.mul(0.9).add(gi.mul(0.1)), m, tree.ref(g));
  v = tree.map((vi, gi) => vi.mul(0.999).add(np.square(gi).mul(0.001)), v, g);
  p = tree.map(
    (pi, mi, vi) => pi.sub(mi.mul(rate.ref).div(np.sqrt(vi).mul(correction.ref).add(1e-8))),
    p,
    tree.ref(m),
    tree.ref(v),
  );
  rate.dispose();
  correction.dispose();
  return [loss, p, { m, v }];
});

const width = sizes[0];
const each = squares ? outputs : 1;
const xb = new Float32Array(batch * width);
const yb = new y.constructor(batch * each);
let t = 0;
await serve({ batch, version: `@jax-js/jax ${version}, wasm` }, async (steps) => {
  let loss;
  for (let s = 0; s < steps; s++) {
    const order = next();
    for (let r = 0; r < batch; r++) {
      xb.set(x.subarray(order[r] * width, (order[r] + 1) * width), r * width);
      yb.set(y.subarray(order[r] * each, (order[r] + 1) * each), r * each);
    }
    t += 1;
    const scalar = (v) => np.array(v, { dtype: np.float32 });
    loss?.dispose();
    [loss, params, state] = step(
      params,
      state,
      np.array(xb).reshape([batch, width]),
      squares ? np.array(yb).reshape([batch, outputs]) : np.array(yb),
      scalar(1e-3 / (1 - 0.9 ** t)),
      scalar(1 / Math.sqrt(1 - 0.999 ** t)),
    );
  }
  return (await loss.ref.data())[0];
});
