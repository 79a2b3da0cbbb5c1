// One file replaced as a whole: whatever call fails, and wherever the power is cut.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NeuriteError } from '../../src/errors.js';
import { writeFileAtomic } from '../../src/io/files.js';
import { type Call, isDurable, replay, watchedDisk } from './disks.js';

let scratch = '';
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'neurite-files-'));
});
afterAll(() => rm(scratch, { recursive: true }));

const old = Buffer.from('the old content');
const chunks = [Buffer.from('the new '), Buffer.from('content')];
const made = Buffer.concat(chunks);

it.each(['ENOSPC', 'EROFS', 'EIO'])('%s at any call leaves one whole file and no other', async (code) => {
  for (let n = 0; ; n++) {
    const directory = await mkdtemp(join(scratch, 'run-'));
    const file = join(directory, 'model.safetensors');
    await writeFile(file, old);
    let calls = -1;
    let failed = '';
    const system = watchedDisk(({ op }) => {
      if (++calls !== n) return;
      failed = op;
      throw Object.assign(new Error(op), { code });
    });
    const error: unknown = await writeFileAtomic(file, chunks, system).then(
      () => null,
      (e: unknown) => e,
    );
    if (failed === '') {
      expect(error).toBeNull();
      expect(n).toBeGreaterThanOrEqual(6);
      break;
    }
    expect(error, failed).toBeInstanceOf(NeuriteError);
    expect((error as Error).message).toContain(`write "${file}"`);
    // After the rename the new file is there, though perhaps not for good.
    expect(await readFile(file), failed).toEqual(failed === 'syncDirectory' ? made : old);
    expect(await readdir(directory)).toEqual(['model.safetensors']);
  }
});

it('a power cut at any call leaves the old file or the new one', async () => {
  const file = join(scratch, 'model.safetensors');
  const calls: Call[] = [
    { op: 'create', path: file },
    { op: 'write', path: file, bytes: old },
  ];
  calls.push({ op: 'fsync', path: file }, { op: 'syncDirectory', path: scratch });
  const first = calls.length;
  await writeFileAtomic(
    file,
    chunks,
    watchedDisk((call) => calls.push(call)),
  );
  const outcomes = new Set<string>();
  for (let end = first; end <= calls.length; end++) {
    const part = calls.slice(0, end);
    const loose = part.flatMap((c, i) => (/sync/.test(c.op) || isDurable(calls, i, end) ? [] : [i]));
    // Every subset of what was not synced may be lost, and a write may be torn.
    for (let lost = 0; lost < 2 ** loose.length; lost++) {
      for (const torn of [false, true]) {
        const tree = replay(scratch, part, (call, i) => {
          const at = loose.indexOf(i);
          if (at < 0) return true;
          if ((lost >> at) & 1) return false;
          return torn && call.op === 'write' ? call.bytes.subarray(0, 3) : true;
        });
        const entry = tree.get('model.safetensors');
        if (entry === undefined || entry instanceof Map) throw new Error(`no file after ${end} calls`);
        const text = Buffer.from(entry.bytes).toString();
        expect([old.toString(), made.toString()]).toContain(text);
        if (end === calls.length) expect(text).toBe(made.toString());
        outcomes.add(text);
      }
    }
  }
  expect(outcomes.size).toBe(2);
});
