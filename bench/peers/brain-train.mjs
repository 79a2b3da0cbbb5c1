// Peer of bench/train.mjs: brain.js, NeuralNetwork with its own trainer, which takes one sample at a time (praxis 'adam').
//   node brain-train.mjs NET
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { serve } from '../compare/peer.mjs';
import { dataOf, netOf } from '../nets.mjs';

const folder = new URL('../compare/peers/brain/node_modules/', import.meta.url);
const brain = createRequire(folder)('brain.js');
const { version } = JSON.parse(readFileSync(new URL('brain.js/package.json', folder), 'utf8'));
const net = netOf(process.argv[2]);
const { sizes, batch, rows, loss } = net;
const { x, y } = dataOf(net);
const [width, outputs] = [sizes[0], sizes.at(-1)];
const data = Array.from({ length: rows }, (_, r) => ({
  input: x.subarray(r * width, (r + 1) * width),
  output:
    loss === 'mse'
      ? y.subarray(r * outputs, (r + 1) * outputs)
      : Float32Array.from({ length: outputs }, (_, j) => (j === y[r] ? 1 : 0)),
}));
const model = new brain.NeuralNetwork({
  inputSize: width,
  outputSize: outputs,
  hiddenLayers: sizes.slice(1, -1),
  activation: 'relu',
});

let at = 0;
await serve({ batch, version: `brain.js ${version}, a sample at a time` }, (steps) => {
  let error = 0;
  for (let s = 0; s < steps; s++) {
    if (at + batch > rows) at = 0;
    const part = data.slice(at, at + batch);
    at += batch;
    ({ error } = model.train(part, { iterations: 1, learningRate: 1e-3, praxis: 'adam', errorThresh: 1e-12 }));
  }
  return error;
});
