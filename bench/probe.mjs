// npm run bench:probe -- [--json]
//
// What this machine gives right now: arithmetic in a burst and sustained, bandwidth, the pool's barrier and a native call.
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { nativeProgram } from '../tools/native-program.mjs';

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

/** Peak and sustained arithmetic of each instruction set, bandwidth of each level of memory, barrier, native call; by threads. */
export async function machineProbe(threads = [...new Set([1, availableParallelism()])]) {
  const native = JSON.parse(execFileSync(nativeProgram('neurite_probe'), threads.map(String), { encoding: 'utf8' }));
  return { cpu: cpus()[0].model, ...native, nativeCallNanoseconds: await nativeCallNanoseconds() };
}

function print({ cpu, threads, levelBytes, nativeCallNanoseconds: call }) {
  console.log(cpu);
  for (const [count, t] of Object.entries(threads)) {
    console.log(
      `\n${count} thread(s): GFLOP/s ${JSON.stringify(t.gflops)}, sustained ${JSON.stringify(t.sustainedGflops)}, ` +
        `barrier ${t.barrierMicroseconds} us; GB/s:`,
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
