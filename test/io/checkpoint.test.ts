import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BusyError, FormatError, NeuriteError, OptionError } from '../../src/errors.js';
import { crc32c, showCrc } from '../../src/io/crc32c.js';
import { type CheckpointContent, CheckpointDirectory, type TensorData } from '../../src/io/index.js';
import { watchedDisk } from './disks.js';

let scratch = '';
let made = 0;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'neurite-checkpoint-'));
});
afterAll(() => rm(scratch, { recursive: true }));
const fresh = () => join(scratch, `run${made++}`, 'deep');

function content(step: number, size = 3): CheckpointContent {
  const w: TensorData = {
    dtype: 'float32',
    shape: [size],
    data: Float32Array.from({ length: size }, (_, i) => step + i),
  };
  const n: TensorData = { dtype: 'int32', shape: [], data: Int32Array.of(step) };
  return {
    tensors: new Map([
      ['model.0.weight', w],
      ['optimizer.step', n],
    ]),
    state: { epoch: step, loss: [0.5, Number.NaN] },
  };
}

describe('CheckpointDirectory', () => {
  it('gives back what was saved: tensors, state with NaN and −0, step and metric', async () => {
    const path = fresh();
    const checkpoints = new CheckpointDirectory(path);
    expect(await checkpoints.load()).toBeNull();
    expect(await checkpoints.list()).toEqual([]);
    const state = {
      ...{ none: null, yes: true, text: 'é "\\ \u{1F9E0}', list: [1, [], {}], '': 0.1 },
      numbers: [Number.NaN, Infinity, -Infinity, -0, 5e-324, 2 ** 53],
    };
    const saved = { tensors: content(7).tensors, state };
    const where = await checkpoints.save(7, saved, { metric: 0.25 });
    const loaded = await new CheckpointDirectory(path).load();
    expect(loaded).toEqual({ step: 7, metric: 0.25, path: where, ...saved, skipped: [] });
    expect(loaded?.state).toHaveProperty(['numbers', 3], -0);
    expect((await readdir(where)).sort()).toEqual(['manifest.json', 'tensors.safetensors']);
    const manifest = JSON.parse(await readFile(join(where, 'manifest.json'), 'utf8'));
    expect(manifest).toMatchObject({ format: 'neurite-checkpoint', version: 1, step: 7, metric: 0.25 });
    const bytes = new Uint8Array(Int32Array.of(7).buffer);
    expect(manifest.payload.tensors.find((t: { name: string }) => t.name === 'optimizer.step').crc32c).toBe(
      showCrc(crc32c(bytes)),
    );
  });

  it('keeps the last k and the best, and loads each', async () => {
    const checkpoints = new CheckpointDirectory(fresh(), { keepLast: 2, keepBest: 1, mode: 'max' });
    const metrics = [0.1, 0.9, 0.3, 0.2, 0.4, Number.NaN];
    for (const [i, metric] of metrics.entries()) await checkpoints.save(10 * i, content(i), { metric });
    expect((await checkpoints.list()).map((c) => [c.step, c.metric])).toEqual([
      [10, 0.9],
      [40, 0.4],
      [50, null],
    ]);
    expect((await checkpoints.load())?.step).toBe(50);
    expect((await checkpoints.load('best'))?.step).toBe(10);
    expect((await checkpoints.load(40))?.state).toEqual(content(4).state);
    expect(await checkpoints.load(30)).toBeNull();
    expect((await readdir(checkpoints.path)).sort()).toEqual([
      'step-000000000010.000002',
      'step-000000000040.000005',
      'step-000000000050.000006',
    ]);
  });

  it('without metrics there is no best', async () => {
    const checkpoints = new CheckpointDirectory(fresh());
    await checkpoints.save(1, content(1));
    expect(await checkpoints.load('best')).toBeNull();
  });

  it('the newest is the last one written: a step again, or an earlier one after going back', async () => {
    const checkpoints = new CheckpointDirectory(fresh());
    await checkpoints.save(10, content(1));
    await checkpoints.save(20, content(2));
    await checkpoints.save(20, content(3));
    expect(await checkpoints.load()).toMatchObject({ step: 20, state: content(3).state });
    expect(await checkpoints.list()).toHaveLength(2);
    await checkpoints.save(15, content(4));
    expect(await checkpoints.load()).toMatchObject({ step: 15 });
  });

  it('saves asked for at once happen in order', async () => {
    const checkpoints = new CheckpointDirectory(fresh(), { keepLast: 10 });
    await Promise.all([1, 2, 3, 4].map((s) => checkpoints.save(s, content(s))));
    expect((await checkpoints.list()).map((c) => c.step)).toEqual([1, 2, 3, 4]);
  });

  it('writes tensors longer than a slice', async () => {
    const checkpoints = new CheckpointDirectory(fresh());
    await checkpoints.save(1, content(1, 600_001));
    const data = (await checkpoints.load())?.tensors.get('model.0.weight')?.data;
    expect(data?.length).toBe(600_001);
    expect(data?.every((v, i) => v === i + 1)).toBe(true);
  });
});

describe('damage', () => {
  it('goes back to the newest whole one and says what was passed over', async () => {
    const checkpoints = new CheckpointDirectory(fresh(), { keepLast: 5 });
    const paths: string[] = [];
    for (const step of [1, 2, 3, 4, 5]) paths.push(await checkpoints.save(step, content(step), { metric: step }));
    await rm(join(paths[4], 'tensors.safetensors'));
    await rm(join(paths[3], 'manifest.json'));
    const payload = join(paths[2], 'tensors.safetensors');
    const bytes = await readFile(payload);
    bytes[bytes.length - 1] ^= 1;
    await writeFile(payload, bytes);
    const loaded = await checkpoints.load();
    expect(loaded?.step).toBe(2);
    expect(loaded?.skipped).toEqual([
      { path: paths[4], reason: expect.stringMatching(/step-0*5\.\d+\/tensors\.safetensors": the file is missing/) },
      { path: paths[3], reason: expect.stringMatching(/step-0*4\.\d+\/manifest\.json": the file is missing/) },
      { path: paths[2], reason: expect.stringMatching(/tensor "optimizer.step" is damaged: checksum .{8}, expected/) },
    ]);
    await expect(checkpoints.load(5)).rejects.toThrow(/none of 1 checkpoints is whole.*the file is missing/);
    expect((await checkpoints.load('best'))?.step).toBe(1);
    expect((await checkpoints.list()).map((c) => c.step)).toEqual([1, 2, 3, 5]);
    // The damaged ones make room when their turn comes.
    for (const step of [6, 7, 8, 9, 10]) await checkpoints.save(step, content(step));
    expect((await checkpoints.list()).map((c) => c.step)).toEqual([1, 6, 7, 8, 9, 10]);
    expect(await readdir(checkpoints.path)).toHaveLength(6);
  });

  it('payload of another checkpoint, with sound bytes', async () => {
    const checkpoints = new CheckpointDirectory(fresh());
    const first = await checkpoints.save(1, content(1));
    const second = await checkpoints.save(2, content(2));
    await cp(join(first, 'tensors.safetensors'), join(second, 'tensors.safetensors'));
    expect(await checkpoints.load()).toMatchObject({
      step: 1,
      skipped: [{ reason: expect.stringMatching(/is damaged/) }],
    });
  });

  it('a flipped bit in any byte of the manifest, and any cut', async () => {
    const checkpoints = new CheckpointDirectory(fresh());
    await checkpoints.save(1, content(1));
    const path = await checkpoints.save(2, content(2));
    const file = join(path, 'manifest.json');
    const whole = await readFile(file);
    expect(whole.length).toBeGreaterThan(300);
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] ^= 1 << (at % 8);
      await writeFile(file, changed);
      const loaded = await checkpoints.load();
      expect(loaded?.step).toBe(1);
      expect(loaded?.skipped[0].reason).toMatch(/manifest\.json": the manifest is damaged/);
    }
    for (let length = 0; length < whole.length; length += 7) {
      await writeFile(file, whole.subarray(0, length));
      expect((await checkpoints.load())?.step).toBe(1);
    }
    await writeFile(file, whole);
    expect((await checkpoints.load())?.step).toBe(2);
  });

  it('a flipped bit in any byte of the payload that is not padding', async () => {
    const checkpoints = new CheckpointDirectory(fresh());
    await checkpoints.save(1, content(1));
    const file = join(await checkpoints.save(2, content(2)), 'tensors.safetensors');
    const whole = await readFile(file);
    let harmless = 0;
    for (let at = 0; at < whole.length; at++) {
      const changed = Buffer.from(whole);
      changed[at] ^= 1 << (at % 8);
      await writeFile(file, changed);
      const loaded = await checkpoints.load();
      // Space between the header's values may turn into other space.
      if (loaded?.step === 2) {
        expect(loaded.tensors).toEqual(content(2).tensors);
        harmless++;
      }
    }
    expect(harmless).toBeLessThan(8);
  });

  it('a manifest of a later format or of something else', async () => {
    const checkpoints = new CheckpointDirectory(fresh());
    const file = join(await checkpoints.save(1, content(1)), 'manifest.json');
    const text = (await readFile(file, 'utf8')).replace(/,"crc32c":"[^"]*"}\n$/, '');
    const rewrite = async (from: string | RegExp, to: string) => {
      const body = Buffer.from(text.replace(from, to));
      await writeFile(file, `${body},"crc32c":"${showCrc(crc32c(body))}"}\n`);
    };
    await rewrite('"version":1', '"version":2');
    await expect(checkpoints.load()).rejects.toThrow(/got version 2, expected 1; update neurite/);
    await rewrite('neurite-checkpoint', 'other');
    await expect(checkpoints.load()).rejects.toThrow(/format is not "neurite-checkpoint"/);
    await rewrite('"step":1', '"step":-1');
    await expect(checkpoints.load()).rejects.toThrow(/lacks a field/);
    await rewrite('"epoch":1', '"epoch":{"$number":"x"}');
    await expect(checkpoints.load()).rejects.toThrow(/no JSON: \$number is "x"/);
    await rewrite('', '');
    expect((await checkpoints.load())?.step).toBe(1);
  });
});

describe('bad input', () => {
  it('names the option, the step and the part of the state', async () => {
    expect(() => new CheckpointDirectory('')).toThrow(OptionError);
    expect(() => new CheckpointDirectory('x', { keepLast: 0 })).toThrow(/keepLast is 0, expected a whole number >= 1/);
    expect(() => new CheckpointDirectory('x', { mode: 'low' as 'min' })).toThrow(
      /mode is low, expected 'min' or 'max'/,
    );
    expect(() => new CheckpointDirectory('x', { keeplast: 1 } as object)).toThrow(/Did you mean "keepLast"/);
    const checkpoints = new CheckpointDirectory(fresh());
    await expect(checkpoints.save(-1, content(1))).rejects.toThrow(/step is -1/);
    await expect(checkpoints.save(1, content(1), { metric: '1' as unknown as number })).rejects.toThrow(/metric is 1,/);
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    const bad: [unknown, RegExp][] = [
      [{ a: [1, undefined] }, /state\.a\[1\]: got undefined, expected/],
      [{ a: new Map() }, /state\.a: got an instance of Map/],
      [{ a: 1n }, /state\.a: got bigint/],
      [{ $number: 'NaN' }, /state: the key "\$number" is reserved/],
      [loop, /nested more than 500 deep, or a cycle/],
    ];
    for (const [state, message] of bad) {
      const saved = checkpoints.save(1, { tensors: new Map(), state: state as null });
      await expect(saved).rejects.toThrow(OptionError);
      await expect(saved).rejects.toThrow(message);
    }
    const misfit = { dtype: 'float32', shape: [2], data: new Float32Array(1) } as const;
    await expect(checkpoints.save(1, { tensors: new Map([['w', misfit]]), state: null })).rejects.toThrow(/"w" has 1/);
    await expect(checkpoints.load(1.5)).rejects.toThrow(/step is 1.5/);
    expect(await readdir(checkpoints.path)).toEqual([]);
  });

  it('a path through a file', async () => {
    const file = join(scratch, 'file');
    await writeFile(file, '');
    await expect(new CheckpointDirectory(join(file, 'x')).save(1, content(1))).rejects.toThrow(
      /write ".*file\/x": a part/,
    );
  });

  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('a read-only folder', async () => {
    const path = fresh();
    const checkpoints = new CheckpointDirectory(path);
    await checkpoints.save(1, content(1));
    await chmod(path, 0o555);
    await expect(checkpoints.save(2, content(2))).rejects.toThrow(/permission denied/);
    await chmod(path, 0o755);
    expect((await checkpoints.load())?.step).toBe(1);
  });

  it.each(['ENOSPC', 'EROFS', 'EIO'])(
    '%s at any call: the error names the path, what was saved stays',
    async (code) => {
      for (let n = 0; ; n++) {
        const path = fresh();
        await new CheckpointDirectory(path).save(1, content(1), { metric: 1 });
        let calls = -1;
        let call = '';
        const system = watchedDisk(({ op, path: at }) => {
          if (++calls !== n) return;
          call = `${op} ${at}`;
          throw Object.assign(new Error(`${code}: ${op}`), { code });
        });
        const checkpoints = new CheckpointDirectory(path, { keepLast: 1, keepBest: 0 }, { system, lock: QUICK });
        const error: unknown = await checkpoints.save(2, content(2)).then(
          () => null,
          (e: unknown) => e,
        );
        if (calls < n) {
          expect(error).toBeNull();
          expect(n).toBeGreaterThan(15);
          break;
        }
        const loaded = await new CheckpointDirectory(path).load();
        if (error === null) throw new Error(`call ${n} (${call}) failed and nobody was told`);
        expect(error, call).toBeInstanceOf(NeuriteError);
        expect((error as NeuriteError).message, call).toContain(path);
        expect((error as Error).cause, call).toMatchObject({ code });
        expect(loaded?.skipped, call).toEqual([]);
        const step = loaded?.step ?? 0;
        expect([1, 2], call).toContain(step);
        expect({ tensors: loaded?.tensors, state: loaded?.state }, call).toEqual(content(step));
        // The next save works, and cleans up.
        await checkpoints.save(3, content(3));
        expect(await readdir(path), call).toEqual([expect.stringMatching(/^step-0*3\./)]);
      }
    },
  );
});

const QUICK = { heartbeat: 20, lease: 150, poll: 5 };

describe('two writers', () => {
  it('the one that wrote first is told that another came', async () => {
    const path = fresh();
    const [first, second] = [new CheckpointDirectory(path), new CheckpointDirectory(path)];
    await first.save(1, content(1));
    await second.save(2, content(2));
    const told = first.save(3, content(3));
    await expect(told).rejects.toBeInstanceOf(BusyError);
    await expect(told).rejects.toThrow(
      /another run wrote ".*step-0*2\..*" meanwhile; give each run a directory of its own/,
    );
    await second.save(4, content(4));
    expect((await first.load())?.step).toBe(4);
  });

  it('at once leave whole checkpoints', async () => {
    const path = fresh();
    const writers = [0, 1, 2, 3].map(() => new CheckpointDirectory(path, { keepLast: 3 }, { lock: QUICK }));
    const told: unknown[] = [];
    const run = async (w: CheckpointDirectory, first: number) => {
      for (let step = first; step < first + 5; step++) await w.save(step, content(step, 2000));
    };
    await Promise.all(writers.map((w, i) => run(w, 100 * i).catch((e: unknown) => told.push(e))));
    for (const error of told) expect(error).toBeInstanceOf(BusyError);
    expect(told.length).toBeLessThan(writers.length);
    const loaded = await new CheckpointDirectory(path).load();
    expect({ tensors: loaded?.tensors, state: loaded?.state }).toEqual(content(loaded?.step ?? -1, 2000));
    expect(loaded?.skipped).toEqual([]);
    expect((await readdir(path)).filter((f) => !f.startsWith('step-'))).toEqual([]);
  });

  it('reading while another writes gives a whole one, never an error', async () => {
    const path = fresh();
    const writer = new CheckpointDirectory(path, { keepLast: 1, keepBest: 0 });
    await writer.save(0, content(0, 2000));
    let writing = true;
    const steps: number[] = [];
    const read = async () => {
      while (writing) {
        const loaded = await new CheckpointDirectory(path).load();
        expect({ tensors: loaded?.tensors, state: loaded?.state }).toEqual(content(loaded?.step ?? -1, 2000));
        steps.push(loaded?.step ?? -1);
      }
    };
    const reading = read();
    for (let step = 1; step <= 20; step++) await writer.save(step, content(step, 2000));
    writing = false;
    await reading;
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  });

  it('takes over the lock of a process that is gone, and sweeps what it left', async () => {
    const path = fresh();
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    await mkdir(join(path, `.tmp-${child.pid}-abc`), { recursive: true });
    await writeFile(join(path, `.tmp-${child.pid}-abc`, 'tensors.safetensors'), 'part');
    await writeFile(join(path, 'lock'), `${child.pid} ${hostname()} 00\n`);
    await new CheckpointDirectory(path).save(1, content(1));
    expect(await readdir(path)).toEqual(['step-000000000001.000001']);
  });

  it('takes over a lock that nobody touches, waits for one that is touched', async () => {
    const path = fresh();
    await mkdir(path, { recursive: true });
    const lock = join(path, 'lock');
    await writeFile(lock, '1 elsewhere 00\n');
    await new CheckpointDirectory(path, {}, { lock: QUICK }).save(1, content(1));
    await writeFile(lock, '1 elsewhere 00\n');
    let tick = 0;
    const timer = setInterval(() => void utimes(lock, ++tick, tick), 20);
    const busy = new CheckpointDirectory(path, {}, { lock: QUICK, patience: 400 }).save(2, content(2));
    await expect(busy).rejects.toThrow(/process 1 on elsewhere is writing there and holds ".*lock"/);
    clearInterval(timer);
    await expect(busy).rejects.toBeInstanceOf(BusyError);
    expect((await new CheckpointDirectory(path).load())?.step).toBe(1);
  });
});

it('FormatError when nothing is whole, so that nobody starts again by mistake', async () => {
  const path = fresh();
  await mkdir(join(path, 'step-000000000001.000001'), { recursive: true });
  const loading = new CheckpointDirectory(path).load();
  await expect(loading).rejects.toThrow(FormatError);
  await expect(loading).rejects.toThrow(/none of 1 checkpoints is whole/);
});
