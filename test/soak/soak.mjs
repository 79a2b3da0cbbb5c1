// Trains, evaluates, saves and loads again and again, now and then in a worker: memory must stay flat, no file stay open, and every
// round give the numbers of the first round of a fresh process.
//   npm run test:soak                       30 minutes, on the built package
//   npm run test:soak -- --minutes 2
// Ends with one line of JSON; exit code 1 says that something grew or changed.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { memory } from '../../dist/index.js';
import { round } from './round.mjs';

const self = fileURLToPath(import.meta.url);
/** Rounds between two workers: each loads the addon and the package anew. */
const WORKER_EVERY = 10;
/** Growth that is noise: pages that the allocator keeps. */
const SLACK_BYTES = 16 * 2 ** 20;

if (!isMainThread) {
  parentPort.postMessage((await round(workerData)).hash);
} else if (process.argv[2] === '--one') {
  const directory = mkdtempSync(join(tmpdir(), 'neurite-soak-'));
  console.log((await round(directory)).hash);
  rmSync(directory, { recursive: true });
} else {
  const at = process.argv.indexOf('--minutes');
  const minutes = at < 0 ? 30 : Number(process.argv[at + 1]);
  if (!(minutes > 0)) throw new Error(`--minutes is ${process.argv[at + 1]}, expected a number > 0`);
  await soak(minutes);
}

function inWorker(directory) {
  const worker = new Worker(self, { workerData: directory });
  return new Promise((resolve, reject) => {
    let hash = '';
    worker.on('message', (h) => {
      hash = h;
    });
    worker.on('error', reject);
    worker.on('exit', () => resolve(hash));
  });
}

async function soak(minutes) {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  const directory = mkdtempSync(join(tmpdir(), 'neurite-soak-'));
  const [began, end] = [performance.now(), performance.now() + minutes * 60_000];
  const samples = []; // after each ten rounds
  let [rounds, steps, workers, wrong] = [0, 0, 0, 0];
  const fresh = execFileSync(process.execPath, [self, '--one'], { encoding: 'utf8' }).trim();
  try {
    do {
      for (let i = 0; i < WORKER_EVERY; i++) {
        const result = await round(directory);
        steps += result.steps;
        rounds++;
        if (result.hash !== fresh) wrong++;
      }
      if ((await inWorker(directory)) !== fresh) wrong++;
      workers++;
      samples.push(await sample(gc));
    } while (performance.now() < end || samples.length < 4);
  } finally {
    rmSync(directory, { recursive: true });
  }
  // The first third is warming up: code is compiled, pools grow to their size.
  const steady = samples.slice(Math.floor(samples.length / 3));
  const report = { minutes: (performance.now() - began) / 60_000, rounds, steps, workers, wrong };
  let failed = wrong > 0;
  for (const key of ['rss', 'heap', 'tensors', 'files']) {
    const slope = slopeOf(steady.map((s) => s[key])); // a sample
    const growth = slope * (steady.length - 1);
    report[key] = { first: steady[0][key], last: steady.at(-1)[key], perThousandRounds: (slope * 1000) / WORKER_EVERY };
    if (growth > (key === 'files' ? 0.5 : SLACK_BYTES)) failed = true;
  }
  console.log(JSON.stringify({ ...report, failed }));
  process.exitCode = failed ? 1 : 0;
}

async function sample(gc) {
  gc();
  await new Promise((resolve) => setImmediate(resolve)); // finalizers
  gc();
  const files = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0;
  const { rss, heapUsed } = process.memoryUsage();
  return { rss, heap: heapUsed, tensors: memory().bytes, files };
}

/** Slope of the least-squares line through the values. */
function slopeOf(values) {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  let [up, across] = [0, 0];
  for (const [i, v] of values.entries()) {
    up += (i - middle) * (v - mean);
    across += (i - middle) ** 2;
  }
  return across === 0 ? 0 : up / across;
}
