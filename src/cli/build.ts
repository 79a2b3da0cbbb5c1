// `neurite build`: compiles the sources that came with the package, for platforms without a prebuilt binary.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Outcome } from './command.js';
import { compileAddon, execute, type Toolchain } from './compile.js';

/** Where node_api.h is: shipped with the package, or in node_modules of a checkout, or beside this Node.js. */
function headers(root: string): string {
  const places = [
    join(root, 'native', 'node-api'),
    join(root, 'node_modules', 'node-api-headers', 'include'),
    join(dirname(dirname(process.execPath)), 'include', 'node'),
  ];
  const found = places.find((place) => existsSync(join(place, 'node_api.h')));
  if (found === undefined) throw new Error(`node_api.h is in none of\n  ${places.join('\n  ')}`);
  return found;
}

/** The first C++ compiler that runs: CXX, c++, g++, clang++, zig. */
async function findToolchain(): Promise<Toolchain> {
  const { CXX } = process.env;
  const commands = [...(CXX ? [CXX.trim().split(/\s+/)] : []), ['c++'], ['g++'], ['clang++'], ['zig', 'c++']];
  for (const command of commands) {
    if ((await execute([...command, '--version'])).code === 0) return { command, platform: process.platform };
  }
  throw new Error(
    `no C++ compiler among ${commands.map((c) => c.join(' ')).join(', ')}. Install one, for example\n` +
      '  Debian, Ubuntu: apt-get install g++      Alpine: apk add g++      Fedora: dnf install gcc-c++\n' +
      '  macOS: xcode-select --install\nor set CXX to its path, then run this again.',
  );
}

/**
 * Compiles the addon into build/Release of the package and loads it once.
 *
 * @param root the package's folder
 * @returns path of the addon
 * @throws {Error} no compiler, a failed compilation, or an addon that does not load; says what to do
 */
async function buildAddon(root: string): Promise<string> {
  if (process.platform === 'win32') {
    throw new Error(
      'Windows has no build from the package alone. Clone the repository and run `npm install` there with Visual Studio ' +
        '2022 (C++) and Python 3, then set NEURITE_BINARY to its build\\Release\\neurite.node.',
    );
  }
  const toolchain = await findToolchain();
  const target = join(root, 'build', 'Release', 'neurite.node');
  const folder = mkdtempSync(join(tmpdir(), 'neurite-build-'));
  try {
    console.error(`neurite build: compiling with ${toolchain.command.join(' ')}; this takes a minute or two`);
    await compileAddon(root, toolchain, headers(root), folder, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const { code, output } = await execute([process.execPath, '-e', 'require(process.argv[1])', target]);
  if (code !== 0) throw new Error(`${target} was built but does not load:\n${output}`);
  return target;
}

/** `neurite build`: compiles the package this file is part of. */
export async function build(): Promise<Outcome> {
  const path = await buildAddon(fileURLToPath(new URL('../../', import.meta.url)));
  return { json: { path }, text: `neurite build: made ${path}` };
}
