import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { Opcode } from '../../src/program/opcodes.gen.js';
import { native } from '../../src/runtime/native.js';
import { limit, report, runs, seed } from './effort.js';
import { programs, seedLines } from './seeds.js';

interface Counts {
  readonly refused: number;
  readonly ran: number;
  readonly stopped: number;
}

function opcodesOf(words: Int32Array): number[] {
  const opcodes: number[] = [];
  for (let at = 6 + 3 * words[2]; at < words.length; at += words[at + 1]) opcodes.push(words[at]);
  return opcodes;
}

function mutateInChild(count: number, seed: number): Promise<Counts> {
  const child = fork(fileURLToPath(new URL('./mutate.mjs', import.meta.url)), {
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  const binary =
    process.env['NEURITE_BINARY'] ?? fileURLToPath(new URL('../../build/Release/neurite.node', import.meta.url));
  child.send({ binary, programs: programs.map((p) => [...p]), count, seed });
  return new Promise((resolve, reject) => {
    let counts: Counts | undefined;
    let errors = '';
    child.stderr?.on('data', (text: Buffer) => {
      errors += text.toString();
    });
    child.on('message', (message) => {
      counts = message as Counts;
    });
    child.on('exit', (code, signal) => {
      if (counts !== undefined && code === 0) resolve(counts);
      else reject(new Error(`fuzz child ended with ${signal ?? `code ${code}`}\n${errors}`));
    });
  });
}

it(
  'mutated programs are refused or run, and never reach outside their slots',
  async () => {
    const count = runs(5000);
    const counts = await mutateInChild(count, seed);
    report('programs through the addon', { mutants: count, ...counts });
    // Both sides of the fence must be met, or the test tests nothing.
    expect(counts.refused).toBeGreaterThan(count / 10);
    expect(counts.ran + counts.stopped).toBeGreaterThan(count / 20);
  },
  limit(120),
);

it('every seed loads', () => {
  for (const program of programs) expect(() => native.load(program)).not.toThrow();
});

it('the seeds have every instruction: a new one needs a valid program in seeds.ts', () => {
  const met = new Set(programs.flatMap(opcodesOf));
  expect(Object.keys(Opcode).filter((name) => !met.has(Opcode[name as keyof typeof Opcode]))).toEqual([]);
});

it('the seeds of the native fuzzer are these programs', async () => {
  await expect(seedLines()).toMatchFileSnapshot('seeds.txt');
});
