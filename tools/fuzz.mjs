// Fuzzing for minutes: `npm run fuzz [-- seconds]`. The ordinary tests do the same for seconds.
//   1. libFuzzer under ASan and UBSan on the program verifier and executor (clang only);
//   2. 100,000 mutated programs through the addon, in a child process, and mutated safetensors and IDX files.
// --native-only leaves out 2, --quick is what CI does: 1 for seconds, from the seeds alone.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const options = process.argv.slice(2);
const quick = options.includes('--quick');
const nativeOnly = quick || options.includes('--native-only');
const seconds = Number(options.find((o) => /^\d+$/.test(o)) ?? 120);
const unknown = options.find((o) => !/^(\d+|--quick|--native-only)$/.test(o));
if (unknown !== undefined) fail(`unknown option ${unknown}; expected seconds, --quick or --native-only`);

function fail(message) {
  console.error(`fuzz: ${message}`);
  process.exit(1);
}

function run(what, command, args, env = {}) {
  console.log(`== ${what}`);
  const began = performance.now();
  const { status, signal, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) fail(`${what}: ${error?.message ?? signal ?? `ended with code ${status}`}`);
  console.log(`== ${what}: ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

function findClang() {
  const names = [process.env.CLANGXX, 'clang++', 'clang++-19', 'clang++-16', 'clang++-14'].filter(Boolean);
  return names.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
}

/** The seeds as files of little-endian words, the format of the fuzzer's inputs. */
function writeCorpus(directory) {
  mkdirSync(directory, { recursive: true });
  const lines = readFileSync(join(root, 'test', 'fuzz', 'seeds.txt'), 'utf8')
    .trim()
    .split('\n');
  for (const [i, line] of lines.entries()) {
    writeFileSync(join(directory, `seed-${i}`), Buffer.from(Int32Array.from(line.split(' ').map(Number)).buffer));
  }
}

function nativeFuzz() {
  const clang = findClang();
  if (clang === undefined) {
    console.log('== no clang++ here: libFuzzer is left out (Debian: apt-get install clang-14 libclang-rt-14-dev)');
    return;
  }
  const build = join('build', 'fuzz');
  const sanitizers = 'address,undefined,float-cast-overflow';
  run('configure', 'cmake', [
    ...['-S', '.', '-B', build, '-DNEURITE_FUZZ=ON', `-DNEURITE_SANITIZE=${sanitizers}`],
    ...[`-DCMAKE_CXX_COMPILER=${clang}`, '-DCMAKE_BUILD_TYPE=Release', `-DNEURITE_SCALAR_ONLY=${quick ? 'ON' : 'OFF'}`],
  ]);
  run('build', 'cmake', ['--build', build, '--parallel', String(availableParallelism())]);
  const corpus = join(root, build, quick ? 'corpus-quick' : 'corpus');
  if (quick) rmSync(corpus, { recursive: true, force: true });
  writeCorpus(corpus);
  const limit = quick ? ['-runs=20000', '-seed=1', '-max_total_time=60'] : [`-max_total_time=${seconds}`];
  const artifacts = join(root, build, 'found-');
  // A program that takes 20 s is a finding: work is bounded by the sizes of what it reads and writes.
  const common = ['-timeout=20', '-rss_limit_mb=2048', '-max_len=4096', '-print_final_stats=1'];
  run(
    'libFuzzer on the program verifier and executor',
    join(root, build, 'neurite_program_fuzz'),
    [...limit, ...common, `-artifact_prefix=${artifacts}`, '-verbosity=0', corpus],
    { ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1', UBSAN_OPTIONS: 'print_stacktrace=1' },
  );
  console.log(`== corpus: ${readdirSync(corpus).length} programs`);
}

nativeFuzz();
if (!nativeOnly) {
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  run('mutated programs and files', process.execPath, [vitest, 'run', 'test/fuzz'], {
    NEURITE_FUZZ: process.env.NEURITE_FUZZ ?? '20',
  });
}
