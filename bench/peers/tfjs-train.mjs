// Peer of bench/train.mjs: TensorFlow.js.   node tfjs-train.mjs NET cpu|wasm   Layers API, trainOnBatch, Adam.
import { createRequire } from 'node:module';
import { batches } from '../compare/mnist.mjs';
import { serve } from '../compare/peer.mjs';
import { dataOf, netOf } from '../nets.mjs';

const require = createRequire(new URL('../compare/peers/tfjs/node_modules/', import.meta.url));
const log = console.log;
console.log = console.warn = () => {}; // it advertises; the parent reads this process's output
const tf = require('@tensorflow/tfjs');
if (process.argv[3] === 'wasm') require('@tensorflow/tfjs-backend-wasm');
await tf.setBackend(process.argv[3]);
await tf.ready();
console.log = log;
const net = netOf(process.argv[2]);
const { sizes, batch, rows } = net;
const squares = net.loss === 'mse';
const { x, y } = dataOf(net);
const next = batches(rows, batch);
const inputs = tf.tensor2d(x, [rows, sizes[0]]);
const outputs = sizes.at(-1);
const targets = squares ? tf.tensor2d(y, [rows, outputs]) : tf.oneHot(tf.tensor1d(y, 'int32'), outputs).toFloat();

const model = tf.sequential();
for (const [i, units] of sizes.slice(1).entries()) {
  const last = i === sizes.length - 2;
  const activation = last ? (squares ? 'linear' : 'softmax') : 'relu';
  model.add(tf.layers.dense({ units, activation, ...(i === 0 ? { inputShape: [sizes[0]] } : {}) }));
}
model.compile({ optimizer: tf.train.adam(1e-3), loss: squares ? 'meanSquaredError' : 'categoricalCrossentropy' });

await serve({ batch, version: `tfjs ${tf.version.tfjs}, ${tf.getBackend()}` }, async (steps) => {
  let loss = 0;
  for (let s = 0; s < steps; s++) {
    const order = tf.tensor1d(next(), 'int32');
    const xb = tf.gather(inputs, order);
    const yb = tf.gather(targets, order);
    loss = await model.trainOnBatch(xb, yb);
    tf.dispose([order, xb, yb]);
  }
  return loss;
});
