// Tests under a sanitizer: `npm run test:asan`, `test:ubsan`, `test:tsan`, or node tools/sanitize.mjs address|undefined|thread.
//   1. the native test binary, optimised, every suite;
//   2. the addon inside Node with the sanitizer's library preloaded, under the tests that reach most of it. Not for thread:
//      V8's own threads are not instrumented, so what TSan would say there is noise; the binary has the pool and the queue.
// --native or --addon does one of them.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const [sanitizer, only] = process.argv.slice(2);

// GCC's "undefined" leaves out the cast of a float that does not fit an integer.
const FLAGS = { address: 'address', undefined: 'undefined,float-cast-overflow', thread: 'thread' };
const LIBRARIES = { address: 'libasan.so', undefined: 'libubsan.so' };
const ADDON_TESTS = ['test/runtime', 'test/program', 'test/engine', 'test/fuzz', 'test/ops', 'test/optim', 'test/nn'];

function fail(message) {
  console.error(`sanitize: ${message}`);
  process.exit(1);
}

if (!Object.hasOwn(FLAGS, sanitizer) || ![undefined, '--native', '--addon'].includes(only)) {
  fail('usage: node tools/sanitize.mjs address|undefined|thread [--native|--addon]');
}

const environment = {
  ...process.env,
  ASAN_OPTIONS: 'abort_on_error=1:detect_stack_use_after_return=1:strict_init_order=1',
  UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
  TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
};

function run(what, command, args, env = {}) {
  console.log(`== ${what}`);
  const began = performance.now();
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...environment, ...env },
  });
  if (status !== 0) fail(`${what}: ${error?.message ?? signal ?? `ended with code ${status}`}`);
  console.log(`== ${what}: ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

const directory = join('build', `native-${sanitizer}`);

/** Both parts are of the same objects, so they share a build folder. */
function build(target) {
  mkdirSync(join(root, directory), { recursive: true });
  const settings = {
    NEURITE_SANITIZE: FLAGS[sanitizer],
    NEURITE_TESTS: 'ON',
    CMAKE_BUILD_TYPE: 'Release',
    // What cmake-js would set: the addon is wanted, and where the headers of Node-API are.
    CMAKE_JS_VERSION: 'none',
    CMAKE_JS_INC: require('node-api-headers').include_dir,
  };
  const set = Object.entries(settings).map(([name, value]) => `-D${name}=${value}`);
  run('configure', 'cmake', ['-S', '.', '-B', directory, ...set]);
  run(`build ${target}`, 'cmake', [
    '--build',
    directory,
    '--target',
    target,
    '--parallel',
    `${availableParallelism()}`,
  ]);
}

function testBinary() {
  build('neurite_native_tests');
  run(`native tests under the ${sanitizer} sanitizer`, join(root, directory, 'neurite_native_tests'), []);
}

/** Where the compiler keeps the sanitizer's run-time library, which Node itself was not linked with. */
function runtimeLibrary() {
  const compiler = process.env.CXX ?? 'c++';
  const { stdout } = spawnSync(compiler, [`-print-file-name=${LIBRARIES[sanitizer]}`], { encoding: 'utf8' });
  const file = stdout?.trim() ?? '';
  if (!file.includes('/'))
    fail(`${compiler} has no ${LIBRARIES[sanitizer]}; this part needs gcc and its sanitizer libraries`);
  return file;
}

function testAddon() {
  if (sanitizer === 'thread') {
    console.log('== the addon inside Node is not run under TSan: V8 is not instrumented');
    return;
  }
  if (process.platform !== 'linux') fail('the addon is run under a sanitizer on Linux only; use --native elsewhere');
  build('neurite');
  const preload = {
    NEURITE_BINARY: join(root, directory, 'neurite.node'),
    LD_PRELOAD: runtimeLibrary(),
    // Leaks are V8's and Node's to the leak checker; the limit leaves room for shadow memory.
    ASAN_OPTIONS: `${environment.ASAN_OPTIONS}:detect_leaks=0:allocator_may_return_null=1`,
  };
  const probe =
    'const m = process.report.getReport().sharedObjects.join(); if (!/lib(a|ub)san/.test(m)) process.exit(1);';
  run('the library is preloaded', process.execPath, ['-e', probe], preload);
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  // mlp.test.ts counts the steps that fit into one native call, which depends on speed; spills.test.ts reads the machine code
  // of a build without checks.
  const left = ['--exclude=test/engine/mlp.test.ts', '--exclude=test/runtime/spills.test.ts'];
  const args = [vitest, 'run', '--typecheck.enabled=false', ...left, ...ADDON_TESTS];
  run(`tests in Node under the ${sanitizer} sanitizer`, process.execPath, args, preload);
}

if (only !== '--addon') testBinary();
if (only !== '--native') testAddon();
