// npm run bench:probe -- [--json]
//
// What this machine gives right now: arithmetic, bandwidth, the pool's barrier and a native call. As a module also
// `cpuProbe()`, the fixed piece of work that comparisons repeat beside every round.
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { nativeProgram } from '../tools/native-program.mjs';

const ITERATIONS = 4_000_000;

/** A fixed chain of multiply-adds, eight at a time; returns million multiply-adds a second of this thread. */
export function spin(iterations = ITERATIONS) {
  const a = new Float64Array([1, 2, 3, 4, 5, 6, 7, 8]);
  let [s0, s1, s2, s3, s4, s5, s6, s7] = a;
  const start = performance.now();
  for (let i = 0; i < iterations; i++) {
    s0 = s0 * 0.999 + 0.1;
    s1 = s1 * 0.999 + 0.1;
    s2 = s2 * 0.999 + 0.1;
    s3 = s3 * 0.999 + 0.1;
    s4 = s4 * 0.999 + 0.1;
    s5 = s5 * 0.999 + 0.1;
    s6 = s6 * 0.999 + 0.1;
    s7 = s7 * 0.999 + 0.1;
  }
  const ms = performance.now() - start;
  if (!Number.isFinite(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7)) throw new Error('probe: not finite');
  return (8 * iterations) / ms / 1000;
}

/** Runs `spin` on `threads` CPUs at once; the slowest counts, because a parallel step waits for it. */
export function cpuProbe(threads = availableParallelism(), iterations = ITERATIONS) {
  const source = `import { parentPort } from 'node:worker_threads'; import { spin } from ${JSON.stringify(import.meta.url)};
    spin(); spin(); parentPort.on('message', () => parentPort.postMessage(spin(${iterations})));`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const workers = Array.from({ length: threads - 1 }, () => new Worker(url));
  const ask = (worker) =>
    new Promise((resolve, reject) => {
      worker.removeAllListeners().once('message', resolve).once('error', reject);
      worker.postMessage('go');
    });
  spin();
  spin();
  return {
    async measure() {
      const others = workers.map(ask);
      await new Promise((resolve) => setTimeout(resolve, 1)); // lets the messages leave before this thread is busy
      const mine = spin(iterations);
      return Math.min(mine, ...(await Promise.all(others)));
    },
    close: () => Promise.all(workers.map((w) => w.terminate())),
  };
}

export function median(values) {
  const s = [...values].sort((a, b) => a - b);
  const mid = s.length >> 1;
  return s.length % 2 === 1 ? s[mid] : (s[mid - 1] + s[mid]) / 2;
}

/** Nanoseconds of a call into the addon that does nothing worth mentioning. */
async function nativeCallNanoseconds() {
  const { native } = await import('../dist/runtime/native.js');
  const calls = 200_000;
  let best = Number.POSITIVE_INFINITY;
  for (let t = 0; t < 8; t++) {
    const start = performance.now();
    for (let i = 0; i < calls; i++) native.arenaBytes();
    best = Math.min(best, performance.now() - start);
  }
  return Math.round((best / calls) * 1e6);
}

/** Peak arithmetic of each instruction set, bandwidth of each level of memory, barrier and native call, by threads. */
export async function machineProbe(threads = [...new Set([1, availableParallelism()])]) {
  const native = JSON.parse(execFileSync(nativeProgram('neurite_probe'), threads.map(String), { encoding: 'utf8' }));
  return { cpu: cpus()[0].model, ...native, nativeCallNanoseconds: await nativeCallNanoseconds() };
}

function print({ cpu, threads, levelBytes, nativeCallNanoseconds: call }) {
  console.log(cpu);
  for (const [count, t] of Object.entries(threads)) {
    console.log(
      `\n${count} thread(s): GFLOP/s ${JSON.stringify(t.gflops)}, barrier ${t.barrierMicroseconds} us; GB/s:`,
    );
    const rows = Object.entries(t.gigabytesPerSecond);
    console.table(Object.fromEntries(rows.map(([level, r]) => [`${level}, ${levelBytes[level] / 1024} KiB`, r])));
  }
  console.log(`native call: ${call} ns`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = await machineProbe();
  if (process.argv.includes('--json')) console.log(JSON.stringify(result));
  else print(result);
}
