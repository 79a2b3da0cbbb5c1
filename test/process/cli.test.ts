// The built command `neurite`, as a shell runs it: output, exit codes, pipes, and the commands of its guide page.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { showBytes, showsStyles, showText } from '../../src/cli/text.js';
import { writeNpy } from '../../src/io/index.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const MAIN = join(root, 'dist/cli/main.js');
const PAGE = readFileSync(join(root, 'docs/guide/cli.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map((m) => m[1]);

let folder = '';
beforeAll(() => {
  // Below the checkout, where 'neurite' is the package itself.
  mkdirSync(join(root, 'build'), { recursive: true });
  folder = mkdtempSync(join(root, 'build', 'cli-test-'));
  symlinkSync(MAIN, join(folder, 'neurite'));
  chmodSync(MAIN, 0o755);
  const [program = ''] = blocks('js');
  writeFileSync(join(folder, 'make.mjs'), program);
  const { status, stderr } = spawnSync(process.execPath, ['make.mjs'], { cwd: folder, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function neurite(args: readonly string[], env: Record<string, string> = {}): Result {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const json = ({ stdout }: Result): Record<string, unknown> => JSON.parse(stdout) as Record<string, unknown>;

describe('the guide page', () => {
  it.runIf(process.platform !== 'win32')('has commands that all succeed in a shell', { timeout: 120_000 }, () => {
    const commands = blocks('sh').flatMap((block) => block.trim().split('\n'));
    expect(commands.length).toBeGreaterThan(8);
    for (const command of commands) {
      const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
        cwd: folder,
        env: { ...process.env, PATH: `${folder}${delimiter}${process.env['PATH']}` },
        encoding: 'utf8',
      });
      expect([status, stderr], command).toEqual([0, '']);
      expect(stdout, command).not.toBe('');
      if (command.endsWith('--json')) expect(() => JSON.parse(stdout), command).not.toThrow();
    }
  });

  it('shows what inspect and predict print', () => {
    const [inspected, predicted] = blocks('text').map((block) => block.split('…').map((part) => part.trim()));
    const { stdout } = neurite(['inspect', 'model.safetensors']);
    for (const part of inspected) expect(stdout).toContain(part);
    const { stdout: lines } = neurite(['predict', 'iris.safetensors', '--input', 'flowers.csv']);
    for (const part of predicted) expect(lines).toContain(part);
  });
});

describe('help and wrong calls', () => {
  it('lists every command, and shows options and examples of each', () => {
    const { status, stdout } = neurite([]);
    expect(status).toBe(0);
    for (const name of ['info', 'bench', 'inspect', 'predict', 'build']) {
      expect(stdout).toContain(`neurite ${name}`);
      const help = neurite(['help', name]);
      expect(help.status).toBe(0);
      expect(help.stdout).toMatch(/Options\n[\s\S]*--json[\s\S]*Examples\n/);
      expect(neurite([name, '--help']).stdout).toBe(help.stdout);
      expect(PAGE).toContain(`neurite ${name}`);
    }
    expect(neurite(['--version']).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  const wrong: [string, string[], string][] = [
    ['an unknown command', ['inspct'], 'Did you mean "inspect"?'],
    ['an unknown option', ['info', '--jsn'], 'Did you mean "--json"?'],
    ['a short option nobody knows', ['info', '-j'], 'unknown option -j'],
    ['an option without its value', ['bench', '--threads'], '--threads needs a value: --threads N'],
    ['a value for an option that takes none', ['info', '--json=yes'], "takes no value, got 'yes'"],
    ['a value out of range', ['bench', '--threads', '0'], "--threads is '0', expected a whole number >= 1"],
    ['no number', ['bench', '--seconds', 'x'], "--seconds is 'x', expected a number in (0, 3600]"],
    ['a missing operand', ['inspect'], 'expected FILE, got none'],
    ['a missing --input', ['predict', 'iris.safetensors'], '--input is missing'],
    ['a name that tells no format', ['predict', 'iris.safetensors', '--input', 'x'], 'Say so with --format: csv, tsv'],
    ['a format nobody knows', ['predict', 'm', '--input', 'x', '--format', 'xls'], "--format is 'xls'"],
    ['one operand too many', ['info', 'x'], 'expected no operands, got x'],
  ];
  for (const [what, args, message] of wrong) {
    it(`${what} is exit code 2`, () => {
      const { status, stdout, stderr } = neurite(args);
      expect([status, stdout]).toEqual([2, '']);
      expect(stderr).toContain(message);
      expect(stderr).not.toContain('    at ');
    });
  }

  it('says so as JSON when asked to', () => {
    const result = neurite(['inspect', '--json']);
    expect([result.status, result.stderr]).toEqual([2, '']);
    expect(json(result)).toEqual({ error: { code: 'ERR_USAGE', message: 'neurite inspect: expected FILE, got none' } });
  });
});

describe('info', () => {
  it('gives versions, instruction set, threads, memory and devices', () => {
    const told = json(neurite(['info', '--json'], { NEURITE_THREADS: '1', NEURITE_ISA: 'scalar' }));
    expect(told).toMatchObject({
      host: { node: process.version, platform: process.platform, arch: process.arch },
      native: { isa: 'scalar', threads: 1, path: expect.stringMatching(/neurite.*\.node$/) as string },
      memory: { limit: null },
      error: null,
    });
    expect(told['devices']).toContainEqual(expect.objectContaining({ name: 'cpu', available: true }));
  });

  it('says why the native library does not load, with exit code 1', () => {
    const env = { NEURITE_BINARY: join(folder, 'nowhere.node') };
    const text = neurite(['info'], env);
    expect(text.status).toBe(1);
    expect(text.stdout).toContain('nowhere.node: not there');
    const result = neurite(['info', '--json'], env);
    expect(result.status).toBe(1);
    expect(json(result)).toMatchObject({ native: null, error: expect.stringContaining('unset it') as string });
  });
});

describe('bench', () => {
  it('measures every line', { timeout: 60_000 }, () => {
    const { results, threads } = json(neurite(['bench', '--seconds', '0.001', '--threads', '1', '--json']));
    expect(threads).toBe(1);
    const lines = results as { name: string; value: number; milliseconds: number; runs: number }[];
    expect(lines.map((l) => l.name).join('; ')).toMatch(/memory.*matmul 512.*exp.*sum.*softmax.*training step/);
    for (const { name, value, milliseconds, runs } of lines) {
      expect(value, name).toBeGreaterThan(0);
      expect(milliseconds, name).toBeGreaterThan(0);
      expect(runs, name).toBeGreaterThanOrEqual(5);
    }
  });
});

describe('inspect', () => {
  const file = (name: string): string => join(folder, name);

  it('gives tensors, shapes and ranges of a safetensors file', () => {
    const told = json(neurite(['inspect', 'model.safetensors', '--json']));
    expect(told).toMatchObject({ kind: 'safetensors', whole: true, damage: [] });
    const tensors = told['tensors'] as { name: string; shape: number[]; dtype: string; min: number; max: number }[];
    expect(tensors.map((t) => [t.name, t.shape, t.dtype])).toEqual(
      expect.arrayContaining([
        ['0.weight', [8, 4], 'float32'],
        ['2.bias', [3], 'float32'],
      ]),
    );
    // Linear's default: uniform in ±1/sqrt(inputs), here ±0.5.
    const weight = tensors.find((t) => t.name === '0.weight');
    expect(weight?.min).toBeGreaterThanOrEqual(-0.5);
    expect(weight?.max).toBeLessThanOrEqual(0.5);
  });

  it('names the byte where a file is cut', () => {
    writeFileSync(file('cut.safetensors'), readFileSync(file('model.safetensors')));
    truncateSync(file('cut.safetensors'), 300);
    const { status, stdout, stderr } = neurite(['inspect', 'cut.safetensors']);
    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/neurite inspect: .*cut\.safetensors.*byte \d+/);
  });

  it('knows an IDX file by its content, and refuses what is empty, absent or something else', () => {
    writeFileSync(file('labels'), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 9));
    const told = json(neurite(['inspect', 'labels', '--json']));
    expect(told).toMatchObject({
      kind: 'IDX',
      tensors: [{ dtype: 'uint8', shape: [3], min: 0, max: 9, nonFinite: 0 }],
    });
    writeFileSync(file('empty'), '');
    expect(neurite(['inspect', 'empty'])).toMatchObject({
      status: 1,
      stderr: 'neurite inspect: empty: the file is empty\n',
    });
    expect(neurite(['inspect', 'absent']).stderr).toBe('neurite inspect: absent: there is no such file or directory\n');
    writeFileSync(file('words'), 'These are words and no tensors.');
    expect(neurite(['inspect', 'words'])).toMatchObject({ status: 1, stdout: '' });
    mkdirSync(file('nothing'));
    expect(neurite(['inspect', 'nothing']).stderr).toContain('holds no checkpoints');
  });

  it('counts NaN and infinite values', () => {
    const values = Float32Array.of(Number.NaN, 1, Number.POSITIVE_INFINITY);
    writeFileSync(
      file('odd'),
      Buffer.concat([Uint8Array.of(0, 0, 13, 1, 0, 0, 0, 3), Buffer.from(values.buffer).swap32()]),
    );
    const result = neurite(['inspect', 'odd', '--json']);
    expect(result.status).toBe(0);
    expect(json(result)).toMatchObject({ tensors: [{ nonFinite: 2, min: 1, max: 1, mean: 1 }], whole: true });
  });

  it('verifies every checkpoint of a run, and finds the damaged one', () => {
    const whole = json(neurite(['inspect', 'runs/iris', '--json']));
    const [first, second] = (whole['metadata'] as { checkpoints: { name: string; step: number; metric: number }[] })
      .checkpoints;
    expect([first.step, first.metric, second.step, second.metric]).toEqual([100, 0.4, 200, 0.3]);
    expect(json(neurite(['inspect', `runs/iris/${first.name}`, '--json']))).toMatchObject({
      kind: 'checkpoint',
      whole: true,
    });
    const payload = file(`runs/iris/${second.name}/tensors.safetensors`);
    const bytes = readFileSync(payload);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(payload, bytes);
    const { status, stdout } = neurite(['inspect', 'runs/iris']);
    expect(status).toBe(1);
    expect(stdout).toContain('checks: damaged');
    expect(stdout).toContain(second.name);
    expect(json(neurite(['inspect', 'runs/iris', '--json']))).toMatchObject({ whole: false });
  });
});

describe('predict', () => {
  const run = (args: string, input?: string): Result => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'predict', ...args.split(' ')], {
      cwd: folder,
      encoding: 'utf8',
      input,
    });
    return { status, stdout, stderr };
  };
  const ROWS = [
    [5.1, 3.5, 1.4, 0.2],
    [7, 3.2, 4.7, 1.4],
    [6.3, 3.3, 6, 2.5],
  ];
  const outputs = (result: Result): number[][] =>
    (json(result)['predictions'] as { outputs: number[] }[]).map((p) => p.outputs);

  it('gives the same for CSV, JSON lines, arrays of NumPy and any batch size', async () => {
    const expected = run('iris.safetensors --input flowers.csv').stdout;
    expect(expected.trim().split('\n')).toHaveLength(4);
    await writeNpy(join(folder, 'rows.npy'), { dtype: 'float64', shape: [3, 4], data: Float64Array.from(ROWS.flat()) });
    expect(run('iris.safetensors --input rows.npy --batch-size 2').stdout).toBe(expected);
    const arrays = ROWS.map((row) => JSON.stringify(row)).join('\n');
    expect(run('iris.safetensors --input - --format jsonl --batch-size 1', arrays).stdout).toBe(expected);
    const objects = ROWS.map(([a, b, c, d]) => JSON.stringify({ d, name: 'x', c, b, a })).join('\n');
    expect(run('iris.safetensors --input - --format jsonl --columns a,b,c,d', objects).stdout).toBe(expected);
  });

  it('applies the preprocessing, and softmax when asked', () => {
    const plain = outputs(run('iris.safetensors --input flowers.csv --json'));
    const shares = outputs(run('iris.safetensors --input flowers.csv --json --probabilities'));
    for (const [i, row] of shares.entries()) {
      const powers = plain[i].map(Math.exp);
      const sum = powers.reduce((a, b) => a + b);
      // Outputs are rounded to nine digits; exp of numbers below 1 has a few float32 roundings.
      for (const [j, share] of row.entries()) expect(share).toBeCloseTo(powers[j] / sum, 6);
    }
  });

  it('names the row that is wrong, with exit code 1', () => {
    const bad: [string, string, string][] = [
      ['--format jsonl', '[1,2,3,4]\n[1,2,"x",4]', 'row 2: element 2 is "x", expected a number'],
      ['--format jsonl', '{"a":1}\n{"b":2}', 'row 2: "a" is missing'],
      ['--format jsonl', '[1,2,3,4]\n[1,2]', 'a row has 2 numbers, the first has 4'],
      ['--format jsonl', '7', 'row 1: expected an array or an object of numbers'],
      ['--format csv', 'a,b,c,d\n1,2,3,4\n1,2,,4', 'row 1 has NaN at feature 2'],
      ['--format csv', 'a,b,c,d\n', 'no rows'],
      ['--format csv', 'a,b\n1,2', 'expected 4'],
    ];
    for (const [args, input, message] of bad) {
      const { status, stderr } = run(`iris.safetensors --input - ${args}`, input);
      expect([status, stderr], input).toEqual([1, expect.stringContaining(message) as string]);
    }
    expect(run('model.safetensors --input flowers.csv')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('does not say which layers') as string,
    });
  });
});

describe('terminals and pipes', () => {
  it('has no escape sequences in a pipe, and none of a file reaches a terminal', () => {
    expect(neurite(['help']).stdout).not.toContain('\u001b');
    expect(showText('a\u001b[31mb\u0007\n\u202e')).toBe('a\\u001b[31mb\\u0007\\n\\u202e');
    expect(showText('x'.repeat(30), 10)).toBe('xxxxxxxxxx… (30 characters)');
  });

  it('styles a terminal, unless NO_COLOR or a dumb terminal forbid it', () => {
    expect(showsStyles({ isTTY: true }, {})).toBe(true);
    expect(showsStyles({ isTTY: true }, { NO_COLOR: '1' })).toBe(false);
    expect(showsStyles({ isTTY: true }, { TERM: 'dumb' })).toBe(false);
    expect(showsStyles({}, {})).toBe(false);
  });

  it('is quiet when its reader leaves', async () => {
    // More than a pipe holds, so that the writer meets the closed end.
    const shape = [1];
    const names = Array.from({ length: 3000 }, (_, i) => `a-tensor-with-a-long-name-${i}`);
    const header = Object.fromEntries(names.map((n, i) => [n, { dtype: 'U8', shape, data_offsets: [i, i + 1] }]));
    const text = JSON.stringify(header);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(
      join(folder, 'many.safetensors'),
      Buffer.concat([length, Buffer.from(text), Buffer.alloc(names.length)]),
    );
    const child = spawn(process.execPath, [MAIN, 'inspect', 'many.safetensors', '--json'], { cwd: folder });
    let stderr = '';
    child.stderr.on('data', (d) => {
      stderr += d;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const code = await new Promise((settle) => child.on('close', settle));
    expect([code, stderr]).toEqual([0, '']);
  });

  it('shows sizes in binary units', () => {
    expect([0, 1023, 1536, 20 * 2 ** 20].map(showBytes)).toEqual(['0 bytes', '1023 bytes', '1.5 KiB', '20 MiB']);
  });
});
