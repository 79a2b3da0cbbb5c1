// Writes an event file with the built package and reads it back with TensorBoard's own reader (needs Python's tensorboard):
//   node test/io/goldens/tensorboard.mjs
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { io } from '../../../dist/index.js';

const directory = mkdtempSync(join(tmpdir(), 'neurite-tensorboard-'));
try {
  const events = new io.EventWriter(directory);
  const losses = Array.from({ length: 1000 }, (_, i) => Math.fround(Math.exp(-i / 200)));
  for (const [step, loss] of losses.entries()) events.scalar('train/loss', loss, step);
  const values = Float32Array.from({ length: 5000 }, (_, i) => Math.sin(i) ** 3);
  for (const step of [0, 10, 2 ** 40]) events.histogram('0.weight', values, step);
  await events.close();

  const script = fileURLToPath(new URL('read_events.py', import.meta.url));
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
  const read = JSON.parse(execFileSync('python3', [script, directory], options));
  assert.deepEqual(
    read.scalars['train/loss'],
    losses.map((loss, step) => [step, loss]),
  );
  const histograms = read.histograms['0.weight'];
  assert.deepEqual(
    histograms.map((h) => h.step),
    [0, 10, 2 ** 40],
  );
  for (const h of histograms) {
    assert.equal(h.count, values.length);
    assert.equal(h.min, Math.min(...values));
    assert.equal(h.max, Math.max(...values));
    for (const [i, limit] of h.limits.entries()) {
      const below = values.filter((v) => v < limit && (i === 0 || v >= h.limits[i - 1])).length;
      assert.equal(h.buckets[i], below);
    }
  }
  console.log(`TensorBoard reads ${losses.length} scalars and ${histograms.length} histograms as they were written.`);
} finally {
  rmSync(directory, { recursive: true });
}
