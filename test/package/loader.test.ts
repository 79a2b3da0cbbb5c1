import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elfInterpreter, type Host, PUBLISHED, prebuildPath, remedies, thisHost } from '../../src/runtime/loader.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dist = new URL('../../dist/index.js', import.meta.url).href;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'neurite-loader-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Imports the built package in a process of its own. */
function load(env: Record<string, string>, nodeArgs: string[] = []): { status: number | null; text: string } {
  const args = [
    ...nodeArgs,
    '--input-type=module',
    '-e',
    `await import(${JSON.stringify(dist)}); console.log('loaded')`,
  ];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return { status, text: stdout + stderr };
}

/** A 64-bit ELF header with one program header, of the given type, that points to `text`. */
function elf(type: number, text: string): string {
  const bytes = Buffer.alloc(64 + 56 + 64);
  bytes.writeUInt32BE(0x7f454c46, 0);
  bytes.set([2, 1], 4);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(1, 56);
  bytes.writeUInt32LE(type, 64);
  bytes.writeBigUInt64LE(120n, 64 + 8);
  bytes.writeBigUInt64LE(BigInt(text.length + 1), 64 + 32);
  bytes.write(`${text}\0`, 120, 'latin1');
  const file = join(folder, `elf-${type}-${text.length}`);
  writeFileSync(file, bytes);
  return file;
}

describe('the C library of a program', () => {
  it('is read from its interpreter', () => {
    expect(elfInterpreter(elf(3, '/lib/ld-musl-x86_64.so.1'))).toBe('/lib/ld-musl-x86_64.so.1');
    expect(elfInterpreter(elf(3, '/lib64/ld-linux-x86-64.so.2'))).toBe('/lib64/ld-linux-x86-64.so.2');
  });

  it('is unknown for static programs, other files and no file', () => {
    expect(elfInterpreter(elf(1, 'something'))).toBe('');
    const text = join(folder, 'text');
    writeFileSync(text, 'x'.repeat(200));
    expect(elfInterpreter(text)).toBe('');
    writeFileSync(text, '');
    expect(elfInterpreter(text)).toBe('');
    expect(elfInterpreter(join(folder, 'absent'))).toBe('');
  });

  it.runIf(process.platform === 'linux')('agrees with the report of Node itself', () => {
    const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
    expect(thisHost().libc).toBe(header.glibcVersionRuntime === undefined ? 'musl' : 'glibc');
  });
});

describe('the binary of a host', () => {
  it('has the name that prebuildify gives it', () => {
    const linux: Host = { platform: 'linux', arch: 'arm64', libc: 'musl' };
    expect(prebuildPath(linux)).toBe(join('prebuilds', 'linux-arm64', 'neurite.musl.node'));
    expect(prebuildPath({ platform: 'darwin', arch: 'arm64' })).toBe(join('prebuilds', 'darwin-arm64', 'neurite.node'));
  });
});

describe('advice', () => {
  const host: Host = { platform: 'linux', arch: 'x64', libc: 'glibc' };
  const absent = { path: 'a.node', reason: 'not there', code: '' };
  const advise = (reason: string, code: string, at = host): string =>
    remedies([{ path: 'a.node', reason, code }], at, installed()).join('\n');
  const installed = (): string => {
    writeFileSync(join(folder, 'package.json'), '{ "name": "neurite" }');
    return folder;
  };

  it('is to install again where a published binary is absent, and to compile otherwise', () => {
    expect(advise(absent.reason, absent.code)).toMatch(/npm install neurite --force[\s\S]*npx neurite build/);
    const other = advise(absent.reason, absent.code, { platform: 'freebsd', arch: 'x64' });
    expect(other).toContain('no binary for freebsd-x64');
    expect(other).toContain(PUBLISHED[0]);
    expect(other).not.toContain('--force');
    expect(other).toContain('npx neurite build');
  });

  it('names an old glibc, a noexec mount, forbidden addons', () => {
    expect(advise("/lib/libc.so.6: version `GLIBC_2.99' not found", 'ERR_DLOPEN_FAILED')).toContain('needs glibc 2.28');
    expect(advise('failed to map segment from shared object', 'ERR_DLOPEN_FAILED')).toContain('noexec');
    expect(advise('Cannot load native addon', 'ERR_DLOPEN_DISABLED')).toContain('--no-addons');
  });

  it('is to mark the package external where it was bundled', () => {
    expect(remedies([absent], host, undefined).join('\n')).toContain('--external:neurite');
    writeFileSync(join(folder, 'package.json'), '{ "name": "my-app" }');
    expect(remedies([absent], host, folder).join('\n')).toContain('serverExternalPackages');
  });

  it('is to build in a checkout', () => {
    expect(remedies([absent], host, root).join('\n')).toContain('npm run build');
  });
});

describe('loading the built package', () => {
  it('takes NEURITE_BINARY and nothing else', () => {
    expect(load({ NEURITE_BINARY: join(root, 'build/Release/neurite.node') })).toEqual({ status: 0, text: 'loaded\n' });
    const { status, text } = load({ NEURITE_BINARY: join(folder, 'absent.node') });
    expect(status).toBe(1);
    expect(text).toContain(`${join(folder, 'absent.node')}: not there`);
    expect(text).toContain('NEURITE_BINARY is set');
    expect(text).not.toContain('prebuilds');
  });

  it('says what is wrong with a file that is no addon', () => {
    const file = join(folder, 'broken.node');
    writeFileSync(file, 'not a library');
    const { status, text } = load({ NEURITE_BINARY: file });
    expect(status).toBe(1);
    expect(text).toMatch(/broken\.node: .+/);
    expect(text).toContain('ERR_DEVICE');
  });

  it('says that addons are switched off', () => {
    const { status, text } = load({}, ['--no-addons']);
    expect(status).toBe(1);
    expect(text).toContain('--no-addons');
  });
});

describe('the command', () => {
  const run = (...args: string[]): { status: number | null; text: string } => {
    const main = join(root, 'dist/cli/main.js');
    const env = { HOME: folder, PATH: folder };
    const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { env, encoding: 'utf8' });
    return { status, text: stdout + stderr };
  };

  it('explains itself and refuses what it does not know', () => {
    expect(run()).toMatchObject({ status: 0, text: expect.stringContaining('neurite build') });
    expect(run('train')).toMatchObject({ status: 2, text: expect.stringContaining("unknown command 'train'") });
  });

  it.runIf(process.platform !== 'win32')('names the compilers it looked for', () => {
    const { status, text } = run('build');
    expect(status).toBe(1);
    expect(text).toMatch(/no C\+\+ compiler among c\+\+, g\+\+, clang\+\+[\s\S]*apt-get install g\+\+/);
  });
});
