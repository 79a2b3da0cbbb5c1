// Threads that the package starts itself, and what asks for a builtin of Node only when it runs: crypto, zlib, util.
import { rmSync } from 'node:fs';
import { augment, io } from 'neurite';

const studio = augment.compose([augment.rotate(10)]).open({ shape: [8, 8, 1], dtype: 'uint8', workers: 2 });
const source = studio.share(new Uint8Array(32 * 64));
const turned = await studio.paint({ source, pass: 0, first: 0, batch: 32 });
await studio.close();
const array = { dtype: 'float32', shape: [2], data: Float32Array.of(3, 4) };
await io.writeNpz('late.npz', { array }, { compress: true });
const read = await io.readNpz('late.npz');
rmSync('late.npz');
console.log(`made ${turned.length} pixels, read ${read.get('array').data.join(' ')}`);
