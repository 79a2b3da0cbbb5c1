// The binaries of a release, and the cross compiler that makes them.
import { spawnSync } from 'node:child_process';

/** `prebuilds/<folder>/<file>`, the compiler's name for it, and how to run its programs on an x64 Linux. */
export const TARGETS = [
  { name: 'linux-x64-glibc', folder: 'linux-x64', file: 'neurite.glibc.node', triple: 'x86_64-linux-gnu.2.28' },
  { name: 'linux-x64-musl', folder: 'linux-x64', file: 'neurite.musl.node', triple: 'x86_64-linux-musl' },
  { name: 'linux-arm64-glibc', folder: 'linux-arm64', file: 'neurite.glibc.node', triple: 'aarch64-linux-gnu.2.28' },
];

/** Oldest glibc that the glibc binaries may need. */
export const GLIBC_FLOOR = '2.28';
/** One platform's binary, and the whole tarball, in bytes. */
export const BINARY_LIMIT = 5e6;
export const TARBALL_LIMIT = 15e6;
/**
 * What `import 'neurite'` may load; `npm run bench:import` says what it costs. Scripts: index, engine, rooms, helpers, what
 * threads need and the bundler's own, 1.13e6 bytes on 22 November 2026, of which V8 takes some 20 ns each. Builtins: those that HACKING.md allows, and
 * string_decoder, which fs/promises needs in Node 22.
 */
export const IMPORT_BUDGET = {
  builtins: ['fs/promises', 'module', 'os', 'path', 'string_decoder', 'url'],
  scripts: 6,
  bytes: 1.25e6,
};

/** Zig's C++ compiler: the ZIG variable, zig on the path, or PyPI's `ziglang`. */
export function findZig() {
  const commands = [
    ...(process.env.ZIG ? [process.env.ZIG.split(/\s+/)] : []),
    ['zig'],
    ['python-zig'],
    ['python3', '-m', 'ziglang'],
  ];
  return commands.find(([file, ...args]) => spawnSync(file, [...args, 'version'], { stdio: 'ignore' }).status === 0);
}
