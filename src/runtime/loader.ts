// Finds and loads the native addon; when it cannot, says what was tried and how to mend it.
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DeviceError } from '../errors.js';

const { closeSync, existsSync, openSync, readFileSync, readSync } = process.getBuiltinModule('node:fs');

/** Platforms that the published package has a binary for. */
export const PUBLISHED: readonly string[] = [
  'linux-x64.glibc',
  'linux-x64.musl',
  'linux-arm64.glibc',
  'darwin-arm64',
  'darwin-x64',
  'win32-x64',
];

/** What decides which binary fits. */
export interface Host {
  readonly platform: string;
  readonly arch: string;
  /** Linux only: 'glibc' or 'musl'. */
  readonly libc?: 'glibc' | 'musl' | undefined;
}

/** A file that was tried, and why it was not loaded. */
export interface Attempt {
  readonly path: string;
  readonly reason: string;
  /** Code of Node's error, '' when the file is not there. */
  readonly code: string;
}

/** Path of the dynamic loader that an ELF file asks for (its PT_INTERP segment), or '' when it names none. */
export function elfInterpreter(file: string): string {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    const read = (position: number, length: number): Buffer => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(fd as number, bytes, 0, length, position));
    };
    const header = read(0, 64);
    // 64-bit, little-endian: what Node.js has on every Linux that Neurite supports.
    if (header.length < 64 || header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) return '';
    const size = header.readUInt16LE(54);
    const entries = read(Number(header.readBigUInt64LE(32)), size * header.readUInt16LE(56));
    for (let at = 0; at + 56 <= entries.length; at += size) {
      if (entries.readUInt32LE(at) !== 3) continue;
      const length = Math.min(Number(entries.readBigUInt64LE(at + 32)), 4096);
      return read(Number(entries.readBigUInt64LE(at + 8)), length)
        .toString('latin1')
        .replace(/\0.*$/s, '');
    }
  } catch {
    // No /proc, no permission: the caller asks Node's report instead.
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
  return '';
}

/** glibc's version from Node's diagnostic report; undefined on musl. Takes 2 to 14 ms, so it is the second thing asked. */
function reportedGlibc(): string | undefined {
  const report = process.report as (NodeJS.ProcessReport & { excludeNetwork?: boolean }) | undefined;
  if (report === undefined) return undefined;
  const before = report.excludeNetwork;
  // Open sockets would be looked up in the DNS, one by one.
  if (before !== undefined) report.excludeNetwork = true;
  try {
    return (report.getReport() as { header?: { glibcVersionRuntime?: string } }).header?.glibcVersionRuntime;
  } finally {
    if (before !== undefined) report.excludeNetwork = before;
  }
}

/** The running process: the C library is the one that Node itself was linked with, whatever else is installed. */
export function thisHost(): Host {
  const { platform, arch } = process;
  if (platform !== 'linux') return { platform, arch };
  const interpreter = elfInterpreter(process.execPath);
  if (interpreter.includes('ld-musl')) return { platform, arch, libc: 'musl' };
  if (/ld-linux|ld64\.so/.test(interpreter)) return { platform, arch, libc: 'glibc' };
  return { platform, arch, libc: reportedGlibc() === undefined ? 'musl' : 'glibc' };
}

/** prebuildify's name for a host's binary: `prebuilds/linux-x64/neurite.glibc.node`. */
export function prebuildPath({ platform, arch, libc }: Host): string {
  return join('prebuilds', `${platform}-${arch}`, `neurite${libc === undefined ? '' : `.${libc}`}.node`);
}

function candidates(root: string | undefined, host: Host): string[] {
  const explicit = process.env['NEURITE_BINARY'];
  if (explicit !== undefined && explicit !== '') return [resolve(explicit)];
  if (root === undefined) return [];
  return [join(root, prebuildPath(host)), join(root, 'build', 'Release', 'neurite.node')];
}

function packageName(root: string): unknown {
  try {
    return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { name?: unknown }).name;
  } catch {
    return undefined;
  }
}

/** What to do, most likely first. */
export function remedies(attempts: readonly Attempt[], host: Host, root: string | undefined): string[] {
  const said = attempts.map((a) => a.reason).join('\n');
  const codes = attempts.map((a) => a.code);
  if (codes.includes('ERR_DLOPEN_DISABLED')) {
    return [
      'This Node.js runs with --no-addons (or a permission model without --allow-addons): start it with addons allowed.',
    ];
  }
  if (process.env['NEURITE_BINARY']) {
    return [
      'NEURITE_BINARY is set, so nothing else was tried: point it to a neurite.node of this platform, or unset it.',
    ];
  }
  if (root === undefined || packageName(root) !== 'neurite') {
    return [
      'Neurite seems to be part of a bundle, which leaves its binary behind. Mark it external:',
      "  esbuild: --external:neurite    webpack: externals: { neurite: 'module neurite' }    Next: serverExternalPackages: ['neurite']",
      'or set NEURITE_BINARY to the path of the binary that you ship beside the bundle.',
    ];
  }
  if (existsSync(join(root, 'tools', 'build.mjs'))) {
    return ['Build this checkout: npm run build  (needs a C++20 compiler, and CMake or Python 3 with make)'];
  }
  const hints: string[] = [];
  const name = `${host.platform}-${host.arch}${host.libc === undefined ? '' : `.${host.libc}`}`;
  if (/GLIBC_\d/.test(said)) {
    hints.push(
      `The prebuilt binary needs glibc 2.28 or newer; this system has ${reportedGlibc() ?? 'another C library'}.`,
    );
  } else if (/failed to map segment|Operation not permitted/.test(said)) {
    hints.push('The file system of node_modules seems to be mounted noexec: install on one that may run code.');
  }
  if (PUBLISHED.includes(name) && codes.includes('')) {
    hints.push(
      `The package has a binary for ${name}, but it is not there: install the package again, on the system that runs it:`,
      '  npm install neurite --force',
    );
  } else if (!PUBLISHED.includes(name))
    hints.push(`The package has no binary for ${name}; it has ${PUBLISHED.join(', ')}.`);
  hints.push(
    'Or compile the sources that came with the package (needs a C++20 compiler: g++ 11 or clang++ 14 or newer):',
  );
  hints.push('  npx neurite build');
  return hints;
}

/** Path of the addon that this thread has loaded; '' before. */
let loadedPath = '';

/** Path of the addon that was loaded. */
export function addonPath(): string {
  return loadedPath;
}

/**
 * Loads the addon: the file NEURITE_BINARY names, else the prebuilt one of this platform, else a local build.
 *
 * @throws {DeviceError} none could be loaded; the message lists each and the command that mends it
 */
export function loadAddon(): unknown {
  // A bundle in CommonJS form has no import.meta.url. This file is src/runtime or dist/runtime: the package is two up.
  const here = import.meta.url as string | undefined;
  const root = here === undefined ? undefined : resolve(fileURLToPath(here), '..', '..', '..');
  const host = thisHost();
  const attempts: Attempt[] = [];
  for (const path of candidates(root, host)) {
    if (!existsSync(path)) {
      attempts.push({ path, reason: 'not there', code: '' });
      continue;
    }
    try {
      const addon: unknown = createRequire(path)(path);
      loadedPath = path;
      return addon;
    } catch (error) {
      const { code = 'ERR_UNKNOWN', message } = error as NodeJS.ErrnoException;
      // The addon itself refused, for example NEURITE_ISA: another copy would too.
      if (code.startsWith('ERR_NEURITE')) throw new DeviceError(message, { cause: error });
      attempts.push({ path, reason: message, code });
    }
  }
  const libc = host.libc === undefined ? '' : ` (${host.libc})`;
  throw new DeviceError(
    [
      `Neurite found no native addon that loads on ${host.platform}-${host.arch}${libc}, Node ${process.version}. Tried:`,
      ...attempts.map(({ path, reason }) => `  ${path}: ${reason}`),
      ...(attempts.length === 0 ? ['  nothing: this file does not know where it is'] : []),
      ...remedies(attempts, host, root),
    ].join('\n'),
  );
}
