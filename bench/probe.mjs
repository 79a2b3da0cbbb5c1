// What this machine gives right now. As a module: `cpuProbe()`, the fixed piece of work that the comparison repeats beside
// every round. As a program (`node bench/probe.mjs [--json]`): arithmetic and bandwidth reached through Neurite.
import { availableParallelism, cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const ITERATIONS = 4_000_000;

/** A fixed chain of multiply-adds, eight at a time; returns million multiply-adds a second of this thread. */
export function spin() {
  const a = new Float64Array([1, 2, 3, 4, 5, 6, 7, 8]);
  let [s0, s1, s2, s3, s4, s5, s6, s7] = a;
  const start = performance.now();
  for (let i = 0; i < ITERATIONS; i++) {
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
  return (8 * ITERATIONS) / ms / 1000;
}

/** Runs `spin` on every CPU at once; the slowest counts, because a parallel step waits for it. */
export function cpuProbe(threads = availableParallelism()) {
  const source = `import { parentPort } from 'node:worker_threads'; import { spin } from ${JSON.stringify(import.meta.url)};
    spin(); spin(); parentPort.on('message', () => parentPort.postMessage(spin()));`;
  const url = new URL(`data:text/javascript,${encodeURIComponent(source)}`);
  const workers = Array.from({ length: threads - 1 }, () => new Worker(url));
  const ask = (worker) =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
      worker.postMessage('go');
    });
  spin();
  spin();
  return {
    async measure() {
      const others = workers.map(ask);
      await new Promise((resolve) => setTimeout(resolve, 1)); // lets the messages leave before this thread is busy
      const mine = spin();
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

/** Best rate of `work` (units a call) over a quarter of a second, in units a second. */
async function rate(units, work) {
  await work();
  let best = Infinity;
  for (const end = performance.now() + 250; performance.now() < end; ) {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  }
  return (units / best) * 1000;
}

/** Shapes m, n, k of the products: those of the reference network, square ones, and the thin ones that are hard. */
const PRODUCTS = [
  [128, 128, 128],
  [128, 128, 784],
  [128, 10, 128],
  [32, 512, 512],
  [1, 1024, 1024],
  [1024, 1024, 1024],
];

/** GFLOP/s of products and GB/s of a = a * s + b in place, through compiled programs of Neurite. */
export async function machineProbe() {
  const { compile, configure, flush, info, matmul, normal, realize, State, sum } = await import('neurite');
  const all = info().threads;
  const result = { cpu: cpus()[0].model, isa: info().isa, threads: all };
  for (const threads of [...new Set([1, all])]) {
    configure({ threads });
    for (const [m, n, k] of PRODUCTS) {
      // Many products in one program, so that the call around a small one does not count; all pairs of `side` operands on
      // either side, because equal products would be computed once; sums, because fresh results would cost page faults.
      const side = Math.max(1, Math.min(8, Math.round(Math.sqrt(1e8 / (m * n * k)))));
      const a = Array.from({ length: side }, () => normal([m, k]).keep());
      const b = Array.from({ length: side }, () => normal([k, n]).keep());
      await realize(...a, ...b);
      const f = compile((xs, ys) => xs.flatMap((x) => ys.map((y) => sum(matmul(x, y)))));
      const perSecond = await rate(2 * m * n * k * side * side, async () => void f.sync(a, b));
      result[`gemm ${m}x${n}x${k}, ${threads} thread(s), GFLOP/s`] = round(perSecond / 1e9);
    }
    const n = 1 << 24;
    const a = new State(normal([n]));
    const b = normal([n]).keep();
    await flush();
    await realize(b);
    const axpy = compile(() => a.assign(a.read().mul(0.5).add(b)));
    result[`a = a * s + b, ${threads} thread(s), GB/s`] = round((await rate(12 * n, async () => axpy.sync())) / 1e9);
  }
  return result;
}

const round = (x) => Math.round(x * 10) / 10;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const result = await machineProbe();
  if (process.argv.includes('--json')) console.log(JSON.stringify(result));
  else console.table(result);
}
