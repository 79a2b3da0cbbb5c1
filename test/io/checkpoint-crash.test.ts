// Power cuts: the calls of a few saves are logged, then every prefix of them is replayed as a disk might hold it, with any
// change that was not synced lost or the last write torn. What is loaded must be what the last finished save wrote, or a later one.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { type CheckpointContent, CheckpointDirectory } from '../../src/io/index.js';
import { Dice } from '../fuzz/effort.js';
import { type Call, isDurable, replay, type Tree, watchedDisk } from './disks.js';

function content(step: number): CheckpointContent {
  const data = Float32Array.from({ length: 50 }, (_, i) => step + i / 64);
  return { tensors: new Map([['w', { dtype: 'float32', shape: [50], data }]]), state: { epoch: step } };
}

async function materialise(path: string, tree: Tree): Promise<void> {
  await mkdir(path);
  for (const [name, entry] of tree) {
    if (entry instanceof Map) await materialise(join(path, name), entry);
    else await writeFile(join(path, name), entry.bytes);
  }
}

/** A text that is equal for equal trees. */
function keyOf(tree: Tree): string {
  const parts = [...tree].map(
    ([name, entry]) => `${name}:${entry instanceof Map ? keyOf(entry) : Buffer.from(entry.bytes).toString('base64')}`,
  );
  return `{${parts.sort().join()}}`;
}

it('every prefix of the log of calls, with unsynced changes lost or torn', { timeout: 120_000 }, async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'neurite-crash-'));
  try {
    const root = join(scratch, 'parent');
    const run = join(root, 'run');
    await mkdir(root);
    const calls: Call[] = [];
    const system = watchedDisk((call) => calls.push(call));
    const checkpoints = new CheckpointDirectory(run, { keepLast: 1, keepBest: 0 }, { system });
    const steps = [1, 2, 3];
    const finished: number[] = []; // calls when each save resolved
    for (const step of steps) {
      await checkpoints.save(step, content(step));
      finished.push(calls.length);
    }
    expect(calls.length).toBeGreaterThan(45);

    const dice = new Dice(1);
    const seen = new Set<string>();
    let outcomes = 0;
    const check = async (end: number, keep: (call: Call, i: number) => boolean | Uint8Array) => {
      const tree = replay(root, calls.slice(0, end), keep);
      const done = finished.filter((f) => f <= end).length;
      const key = `${done} ${keyOf(tree)}`;
      if (seen.has(key)) return;
      seen.add(key);
      const copy = join(scratch, `copy${seen.size}`);
      await materialise(copy, tree);
      const loaded = await new CheckpointDirectory(join(copy, 'run')).load();
      expect(loaded?.skipped ?? []).toEqual([]);
      const got = loaded?.step ?? 0;
      expect([done, done + 1], `after ${end} calls, ${JSON.stringify(calls[end - 1]?.op)}`).toContain(got);
      if (loaded !== null) expect({ tensors: loaded.tensors, state: loaded.state }).toEqual(content(got));
      outcomes++;
      await rm(copy, { recursive: true });
    };

    for (let end = 0; end <= calls.length; end++) {
      const loose = calls
        .slice(0, end)
        .flatMap((c, i) => (['fsync', 'syncDirectory'].includes(c.op) || isDurable(calls, i, end) ? [] : [i]));
      const subset = (lost: ReadonlySet<number>) => (_: Call, i: number) => !lost.has(i);
      await check(end, subset(new Set()));
      await check(end, subset(new Set(loose)));
      for (const i of loose) {
        await check(end, subset(new Set([i])));
        await check(end, subset(new Set(loose.filter((j) => j !== i))));
        const call = calls[i];
        if (call.op !== 'write') continue;
        for (const part of [1, Math.floor(call.bytes.length / 2), call.bytes.length - 1]) {
          await check(end, (_, j) => (j === i ? call.bytes.subarray(0, part) : true));
          const zeroed = Uint8Array.from(call.bytes, (b, at) => (at < part ? b : 0));
          await check(end, (_, j) => (j === i ? zeroed : true));
        }
      }
      for (let k = 0; k < 8; k++) await check(end, subset(new Set(loose.filter(() => dice.below(2) === 0))));
    }
    expect(outcomes).toBeGreaterThan(100);
  } finally {
    await rm(scratch, { recursive: true });
  }
});

it('the replay itself sees a missing fsync', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'neurite-crash-'));
  try {
    const run = join(scratch, 'run');
    const calls: Call[] = [];
    const system = watchedDisk((call) => calls.push(call));
    await new CheckpointDirectory(run, {}, { system }).save(1, content(1));
    const payload = calls.findIndex((c) => c.op === 'write' && c.path.endsWith('.safetensors'));
    const without = calls.filter((c) => c.op !== 'fsync');
    expect(isDurable(calls, payload, calls.length)).toBe(true);
    expect(isDurable(without, payload, without.length)).toBe(false);
    const renamed = calls.findIndex((c) => c.op === 'rename');
    expect(dirname(calls[renamed].path)).toBe(run);
    expect(isDurable(calls, renamed, renamed + 1)).toBe(false);
  } finally {
    await rm(scratch, { recursive: true });
  }
});
