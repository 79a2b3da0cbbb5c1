// Builds the addon (build/Release/neurite.node) and the TypeScript (dist). `npm install` in a checkout runs it.
//   node tools/build.mjs [--cmake | --gyp] [--debug] [--native-only | --ts-only]
// CMake is used when it is there, else node-gyp; both read native/sources.json and native/flags.json.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const options = new Set(process.argv.slice(2));
for (const option of options) {
  if (!['--cmake', '--gyp', '--debug', '--native-only', '--ts-only'].includes(option)) fail(`unknown option ${option}`);
}
const debug = options.has('--debug');
const target = join(root, 'build', 'Release', 'neurite.node');

function fail(message) {
  console.error(`neurite build: ${message}`);
  process.exit(1);
}

/** Runs a program; whether it succeeded. */
function run(command, args, env = {}) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
    shell: false,
  });
  if (error) console.error(`neurite build: ${command}: ${error.message}`);
  return status === 0;
}

function has(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** The file a package's command runs. */
function packageBin(name, bin) {
  let manifest;
  try {
    manifest = require.resolve(`${name}/package.json`);
  } catch {
    fail(`${name} is not installed; run \`npm install\` with development dependencies`);
  }
  const { bin: bins } = JSON.parse(readFileSync(manifest, 'utf8'));
  return join(dirname(manifest), typeof bins === 'string' ? bins : bins[bin]);
}

function missingTools() {
  const compilers = [process.env.CXX, 'c++', 'g++', 'clang++'].filter(Boolean);
  const missing = [];
  if (process.platform !== 'win32') {
    if (!compilers.some(has)) missing.push('a C++20 compiler (g++ 11 or clang++ 14 or newer)');
    if (!has('make') && !has('ninja')) missing.push('make or ninja');
  }
  return missing;
}

/** Puts a built addon in place by renaming: a process that has the old file open keeps it. */
function install(file) {
  mkdirSync(dirname(target), { recursive: true });
  if (existsSync(target) && readFileSync(target).equals(readFileSync(file))) return;
  const temporary = `${target}.${process.pid}`;
  copyFileSync(file, temporary);
  renameSync(temporary, target);
}

function buildWithCMake() {
  const directory = join('build', debug ? 'cmake-debug' : 'cmake');
  const cli = packageBin('cmake-js', 'cmake-js');
  const args = [cli, 'build', '--out', directory, '--config', debug ? 'Debug' : 'Release'];
  if (debug) args.push('--debug');
  args.push('--parallel', String(availableParallelism()), '--log-level', 'warn');
  if (!run(process.execPath, args)) fail('the CMake build failed; `node tools/build.mjs --gyp` tries node-gyp instead');
  install(join(root, directory, debug ? 'Debug' : 'Release', 'neurite.node'));
}

function buildWithGyp() {
  if (!['python3', 'python'].some(has)) fail('node-gyp needs Python 3; install it, or install CMake to build without');
  const gyp = packageBin('node-gyp', 'node-gyp');
  const args = [gyp, 'configure', 'build', debug ? '--debug' : '--release', '--jobs', String(availableParallelism())];
  const prefix = process.platform === 'win32' ? dirname(process.execPath) : dirname(dirname(process.execPath));
  // node-gyp would download the headers that most Node installations already have.
  if (existsSync(join(prefix, 'include', 'node', 'node_api.h'))) args.push(`--nodedir=${prefix}`);
  if (!debug) rmSync(target, { force: true }); // it may be CMake's
  if (!run(process.execPath, args)) {
    fail('the node-gyp build failed; it needs a C++20 compiler, make, Python 3 and the headers of this Node');
  }
  if (debug) install(join(root, 'build', 'Debug', 'neurite.node'));
}

function buildNative() {
  const missing = missingTools();
  if (missing.length > 0) fail(`missing ${missing.join(' and ')}; install it and run \`npm run build\``);
  const cmake = options.has('--cmake') || (!options.has('--gyp') && has('cmake'));
  if (cmake) buildWithCMake();
  else buildWithGyp();
}

function buildTypeScript() {
  if (!run(process.execPath, [join(root, 'tools', 'gen-opcodes.mjs'), '--check'])) process.exit(1);
  const tsc = packageBin('typescript', 'tsc');
  if (!run(process.execPath, [tsc, '-p', 'tsconfig.json'])) fail('TypeScript reported errors');
}

if (!options.has('--ts-only')) buildNative();
if (!options.has('--native-only')) buildTypeScript();
