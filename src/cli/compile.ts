// Compiles the addon with nothing but a compiler: no CMake, no node-gyp, no download. `neurite build` and the release use it.
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** How to compile and link for one platform. */
export interface Toolchain {
  /** The compiler and its first arguments, such as ['zig', 'c++', '-target', 'aarch64-linux-gnu.2.28']. */
  readonly command: readonly string[];
  readonly platform: NodeJS.Platform;
  /** Environment variables beside this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Extra arguments of the link. */
  readonly link?: readonly string[];
}

interface Run {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a command to its end; never throws. */
export function execute(
  command: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<Run> {
  const [file = '', ...args] = command;
  return new Promise((settle) => {
    const child = spawn(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (data: Buffer): void => {
      output += data.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => settle({ code: null, output: error.message }));
    child.on('close', (code) => settle({ code, output }));
  });
}

/** Runs jobs, at most `limit` at a time; the first error stops the rest. */
async function pool(jobs: readonly (() => Promise<void>)[], limit: number): Promise<void> {
  const queue = [...jobs];
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let job = queue.shift(); job !== undefined && failures.length === 0; job = queue.shift()) {
      await job().catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failures.length > 0) throw failures[0];
}

const json = (root: string, path: string): Record<string, string[]> =>
  JSON.parse(readFileSync(join(root, path), 'utf8')) as Record<string, string[]>;

/** Where the object of a source goes. */
export function objectPath(folder: string, source: string): string {
  return join(folder, `${source.replaceAll('/', '_')}.o`);
}

/** Compiles files to objects in `folder`; their paths. */
export async function compileObjects(
  root: string,
  toolchain: Toolchain,
  sources: readonly string[],
  includes: readonly string[],
  folder: string,
): Promise<string[]> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const { compile = [], optimize = [] } = json(root, 'native/flags.json');
  const flags = [
    // A newer compiler's new warning is no reason to refuse a user's build.
    ...compile.filter((flag) => flag !== '-Werror'),
    ...optimize,
    ...['-fPIC', '-DNAPI_VERSION=8', `-DNEURITE_VERSION="${version}"`],
    ...includes.map((include) => `-I${include}`),
  ];
  mkdirSync(folder, { recursive: true });
  const objects = sources.map((source) => objectPath(folder, source));
  const jobs = sources.map((source, i) => async () => {
    const command = [...toolchain.command, ...flags, '-c', source, '-o', objects[i] as string];
    const { code, output } = await execute(command, { cwd: root, env: { ...process.env, ...toolchain.env } });
    if (code !== 0) throw new Error(`${command.join(' ')}\nended with ${code ?? 'an error'}:\n${output}`);
  });
  await pool(jobs, availableParallelism());
  return objects;
}

/** Arguments that link objects to an addon: stripped, its C++ runtime inside, nothing visible but Node-API's entry points. */
function linkArguments(platform: NodeJS.Platform, root: string): string[] {
  if (platform === 'darwin') return ['-bundle', '-undefined', 'dynamic_lookup', '-mmacosx-version-min=11.0', '-Wl,-x'];
  return [
    ...['-shared', '-s', '-static-libstdc++', '-static-libgcc', '-pthread', '-Wl,--gc-sections'],
    `-Wl,--version-script=${join(root, 'native', 'exports.map')}`,
  ];
}

/**
 * Compiles and links the addon.
 *
 * @param root folder with package.json and native/
 * @param toolchain compiler
 * @param headers folder with node_api.h
 * @param folder for objects; made when it is not there
 * @param target file to make; replaced by renaming, so a process that has it open keeps the old one
 * @throws {Error} the command that failed and what it printed
 */
export async function compileAddon(
  root: string,
  toolchain: Toolchain,
  headers: string,
  folder: string,
  target: string,
): Promise<void> {
  const sources = Object.values(json(root, 'native/sources.json')).flat();
  const objects = await compileObjects(root, toolchain, sources, [headers], folder);
  const linked = join(folder, basename(target));
  const command = [...toolchain.command, ...linkArguments(toolchain.platform, root), ...(toolchain.link ?? [])];
  const { code, output } = await execute([...command, '-o', linked, ...objects], {
    cwd: root,
    env: { ...process.env, ...toolchain.env },
  });
  if (code !== 0) throw new Error(`linking ended with ${code ?? 'an error'}:\n${output}`);
  mkdirSync(dirname(target), { recursive: true });
  const temporary = `${target}.${process.pid}`;
  copyFileSync(linked, temporary);
  renameSync(temporary, target);
  rmSync(linked);
}
