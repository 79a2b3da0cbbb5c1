// Threads that the package starts itself, and what asks for a builtin of Node only when it runs: crypto, zlib, util.
import { rmSync } from 'node:fs';
import { augment, io, zeros } from 'neurite';

const turned = await augment.compose([augment.rotate(10)], { workers: 2 }).apply(zeros([64, 8, 8, 1]));
const array = { dtype: 'float32', shape: [2], data: Float32Array.of(3, 4) };
await io.writeNpz('late.npz', { array }, { compress: true });
const read = await io.readNpz('late.npz');
rmSync('late.npz');
console.log(`made ${turned.shape.join(' x ')}, read ${read.get('array').data.join(' ')}`);
