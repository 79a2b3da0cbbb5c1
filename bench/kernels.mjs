// npm run bench:kernels -- [--only case,number] [--rounds N] [--ms N] [--threads 1,2] [--isa avx2] [--json] [--no-history]
//
// The kernel cases of cases.mjs: Neurite against PyTorch with the same number of threads, and against what the machine gives
// (the floor, by the probes of this run; for products and convolutions also with the sustained peak). --json prints one object a line.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CASES, FAMILIES, floorSeconds, QUIET } from './cases.mjs';
import {
  calibrate,
  chosen,
  circumstances,
  digits,
  findTorch,
  interleave,
  medianOf,
  note,
  ratioOf,
  remember,
  roundProbe,
  sleep,
  startPeer,
  wholeOption,
} from './harness.mjs';
import { machineProbe, median } from './probe.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '20' },
    ms: { type: 'string', default: '12' },
    threads: { type: 'string', default: availableParallelism() > 1 ? '1,2' : '1' },
    isa: { type: 'string' },
    json: { type: 'boolean', default: false },
    'no-history': { type: 'boolean', default: false },
  },
});
const rounds = wholeOption('rounds', options.rounds, 1);
const ms = wholeOption('ms', options.ms, 1);
const threadCounts = options.threads.split(',').map((t) => wholeOption('threads', t, 1));
const cases = chosen(CASES, options.only);

const about = circumstances();
const machine = await machineProbe(threadCounts);
const env = options.isa === undefined ? {} : { NEURITE_ISA: options.isa };
const neurite = await startPeer({
  name: 'neurite',
  command: [process.execPath, here('peers/neurite-kernels.mjs')],
  env,
});
const torch = await startPeer({
  name: 'torch',
  command: ['python3', here('peers/torch_kernels.py')],
  needs: findTorch,
}).catch((cause) => {
  note(`torch: left out: ${cause.message.split('\n')[0]}`);
  return null;
});
const { isa } = neurite.about;

/** One row: both peers in turns, and how far Neurite is from the floor. */
async function measure(c, threads, probe) {
  const entries = [];
  for (const peer of [neurite, torch]) {
    if (peer === null) continue;
    const run = async (count) => (await peer.ask({ id: c.id, threads, count })).seconds;
    try {
      const count = await calibrate(run, ms);
      entries.push({ peer, run: async () => (await run(count)) / count });
    } catch (cause) {
      note(`${c.id}, ${threads} thread(s), ${peer.name}: left out: ${cause.message}`);
      if (peer === neurite) return null;
    }
    await sleep(10);
  }
  const result = await interleave(entries, { rounds, probe, gapMs: 5 });
  const seconds = medianOf(result, 0);
  const given = machine.threads[threads];
  const sustained = { ...given, gflops: given.sustainedGflops };
  const row = {
    case: c.id,
    threads,
    isa,
    seconds: digits(seconds),
    floorFraction: digits(floorSeconds(c, given, isa, threads) / seconds),
    ...(c.flop > 0 && { sustainedFraction: digits(floorSeconds(c, sustained, isa, threads) / seconds) }),
    gflops: digits(c.flop / seconds / 1e9),
    gigabytesPerSecond: digits(c.bytes / seconds / 1e9),
    kept: result.kept.length,
    probeFraction: digits(median(result.kept.map((r) => result.probes[r])) / given.sustainedGflops[isa]),
  };
  if (entries.length > 1) {
    Object.assign(row, {
      peer: torch.about.version,
      peerSeconds: digits(medianOf(result, 1)),
      ratio: digits(ratioOf(result, 1, 0)),
    });
  }
  return row;
}

const rows = [];
for (const threads of threadCounts) {
  const probe = await roundProbe(threads, isa);
  for (const c of cases) {
    const row = await measure(c, threads, probe);
    if (row === null) continue;
    rows.push(row);
    if (options.json) console.log(JSON.stringify(row));
    else {
      const against = row.ratio === undefined ? '' : `, ${row.ratio}x PyTorch`;
      const sustained = c.flop > 0 ? ` (${Math.round(100 * row.sustainedFraction)}% sustained)` : '';
      console.log(
        `${row.case.padEnd(22)} ${threads}t ${(row.seconds * 1e6).toFixed(1).padStart(10)} us, ` +
          `${Math.round(100 * row.floorFraction)}% of floor${sustained}, ${row.gflops} GFLOP/s, ${row.gigabytesPerSecond} GB/s${against}` +
          (row.kept < rounds ? ` (only ${row.kept} quiet rounds)` : '') +
          (row.probeFraction < QUIET
            ? `; disturbed: the probe beside it reached ${row.probeFraction} of its rate`
            : ''),
      );
    }
  }
  probe.close();
}
neurite.stop();
torch?.stop();

/** Geometric means of the ratios of the products and of the convolutions, which have goals of their own. */
for (const threads of threadCounts) {
  for (const [name, first, last] of FAMILIES) {
    const ids = new Set(CASES.filter((c) => c.number >= first && c.number <= last).map((c) => c.id));
    const ratios = rows.filter((r) => r.threads === threads && ids.has(r.case) && r.ratio).map((r) => r.ratio);
    if (ratios.length < 2) continue;
    const mean = Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length);
    note(`${name}, ${threads} thread(s): geometric mean ${digits(mean)}x PyTorch, worst ${Math.min(...ratios)}x`);
  }
}
if (!options['no-history'])
  remember({
    kind: options.isa === undefined ? 'kernels' : `kernels-${options.isa}`,
    ...about,
    rounds,
    probes: machine,
    rows,
  });
