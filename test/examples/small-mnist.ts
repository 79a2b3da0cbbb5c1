import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mnist } from '../../src/datasets/index.js';

/** Writes the first images of MNIST as four IDX files. */
export async function writeSmallMnist(dir: string, trainImages: number, testImages: number): Promise<void> {
  const { train, test } = await mnist();
  await mkdir(dir, { recursive: true });
  for (const [name, part, n] of [
    ['train', train, trainImages],
    ['t10k', test, testImages],
  ] as const) {
    const images = Buffer.concat([header([n, 28, 28]), Buffer.from((await part.x.data()).slice(0, n * 784))]);
    const labels = Buffer.concat([header([n]), Buffer.from(Uint8Array.from((await part.y.data()).slice(0, n)))]);
    await writeFile(join(dir, `${name}-images-idx3-ubyte`), images);
    await writeFile(join(dir, `${name}-labels-idx1-ubyte`), labels);
  }
}

function header(shape: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 + 4 * shape.length);
  bytes[2] = 8;
  bytes[3] = shape.length;
  shape.forEach((d, i) => {
    bytes.writeUInt32BE(d, 4 + 4 * i);
  });
  return bytes;
}
