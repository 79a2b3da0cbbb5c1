// npm run bench:report -- [history.jsonl]
//
// Writes docs/benchmarks.md from the latest record of each kind; the figures are never typed by hand.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CASES, FAMILIES, QUIET } from './cases.mjs';
import { NETS } from './nets.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const file = process.argv[2] ?? here('history.jsonl');
const records = readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => JSON.parse(line));
// The latest of the runs that have the most cases: a look at a few is for whoever made it.
const latest = (kind) => {
  const runs = records.filter((r) => r.kind === kind);
  const cases = (r) => new Set((r.rows ?? []).map((row) => row.case ?? row.setting)).size;
  const most = Math.max(...runs.map(cases));
  return runs.findLast((r) => cases(r) === most);
};

const table = (head, rows) =>
  [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows].map((r) => `| ${r.join(' | ')} |`).join('\n');
const percent = (x) => `${Math.round(100 * x)} %`;
const times = (x) => (x === undefined ? '–' : `${x.toPrecision(3)}×`);
const shown = (seconds) => {
  const [unit, factor] = seconds >= 1e-3 ? ['ms', 1e3] : ['µs', 1e6];
  return `${(seconds * factor).toPrecision(3)} ${unit}`;
};
const geometricMean = (values) => Math.exp(values.reduce((s, v) => s + Math.log(v), 0) / values.length);

const when = (r) =>
  `${r.date.slice(0, 10)}, commit ${r.commit ?? 'unknown'}, ${r.cpu}, ${r.cpus} CPUs, Node ${r.node}, load ${r.loadBefore} before.`;

function probes({ probes: p }) {
  const counts = Object.keys(p.threads);
  const rows = [];
  const row = (name, read) => rows.push([name, ...counts.map((c) => String(read(p.threads[c]) ?? '–'))]);
  for (const isa of Object.keys(p.threads[counts[0]].gflops)) {
    row(`${isa}, GFLOP/s`, (t) => t.gflops[isa]);
    row(`${isa} sustained, GFLOP/s`, (t) => t.sustainedGflops?.[isa]);
  }
  for (const [level, streams] of Object.entries(p.threads[counts[0]].gigabytesPerSecond)) {
    for (const s of Object.keys(streams)) row(`${s} from ${level}, GB/s`, (t) => t.gigabytesPerSecond[level][s]);
  }
  row('barrier, µs', (t) => t.barrierMicroseconds);
  return `${table(['probe', ...counts.map((c) => `${c} thread${c === '1' ? '' : 's'}`)], rows)}

A native call costs ${p.nativeCallNanoseconds} ns.`;
}

function kernels(record) {
  const sections = Object.keys(record.probes.threads).map((threads) => {
    const rows = CASES.flatMap((c) => {
      const r = record.rows.find((x) => x.case === c.id && String(x.threads) === threads);
      if (r === undefined) return [];
      const rate = c.flop > 0 ? `${r.gflops} GFLOP/s` : `${r.gigabytesPerSecond} GB/s`;
      const time = `${shown(r.seconds)}${r.probeFraction < QUIET ? ' \\*' : ''}`;
      const sustained = r.sustainedFraction === undefined ? '–' : percent(r.sustainedFraction);
      return [[`${c.number}. ${c.label}`, time, rate, percent(r.floorFraction), sustained, times(r.ratio)]];
    });
    const means = FAMILIES.flatMap(([name, first, last]) => {
      const ids = CASES.filter((c) => c.number >= first && c.number <= last).map((c) => c.id);
      const ratios = record.rows
        .filter((r) => String(r.threads) === threads && ids.includes(r.case) && r.ratio !== undefined)
        .map((r) => r.ratio);
      if (ratios.length === 0) return [];
      const title = `${name[0].toUpperCase()}${name.slice(1)} (${first} to ${last})`;
      return [`\n${title}: geometric mean ${times(geometricMean(ratios))}, lowest ${times(Math.min(...ratios))}.\n`];
    });
    return `### ${threads} thread${threads === '1' ? '' : 's'}

${table(['case', 'time', 'rate', 'of the floor', 'sustained', 'against PyTorch'], rows)}
${means.join('')}`;
  });
  const peer = record.rows.find((r) => r.peer !== undefined)?.peer ?? 'no peer';
  return `## Kernels

${when(record)} ${record.rows[0].isa}, against ${peer}, median of ${record.rounds} rounds or more.

"Of the floor" is the least time the case can take by the probes below (arithmetic at peak, or every byte moved once at the
bandwidth of the smallest level of memory that holds them) divided by the time it takes. It can be above 100 % where data stays
in a cache that the floor does not count on, or where the probe was disturbed. Memory of 4 MiB and more is
on huge pages for the probe and for the kernels, as that of tensors always is. This peak is reached in bursts only: after
some milliseconds of wide multiply-adds many CPUs lower their clock, and "sustained" is the same fraction with the rate that
multiply-adds alone then keep. PyTorch's Muon multiplies in bfloat16, ours in float32.

A time marked \\* comes from rounds beside which the probe reached less than ${percent(QUIET)} of that rate: other work held the cores.

${sections.join('\n')}
${probes(record)}
`;
}

function steps(rows) {
  const cells = rows.map((r) => {
    const net = NETS.find((n) => n.id === r.case);
    return [
      `${net.image === undefined ? net.sizes.join('-') : `${net.id}, ${net.image.join(' x ')}`}, batch ${net.batch}`,
      String(r.threads),
      shown(r.seconds),
      r.samplesPerSecond.toLocaleString('en'),
      percent(r.floorFraction),
      r.peerVersion ?? '–',
      times(r.ratio),
    ];
  });
  return table(['network', 'threads', 'a step', 'samples/s', 'of the floor', 'peer', 'Neurite is faster by'], cells);
}

function train(record) {
  const peers = new Set(record.rows.map((r) => r.peer));
  const slow = (r) => r.ratio !== null && r.peer !== undefined && !peers.has(r.peer);
  const images = (r) => NETS.find((n) => n.id === r.case).image !== undefined;
  const others = [
    ['Peers that are left out of most runs, in one of their own', slow],
    ['Convolutional networks', (r) => images(r) && !record.rows.some((row) => row.case === r.case)],
  ].flatMap(([title, wanted]) =>
    records
      .filter((r) => r.kind === 'train' && r.rows.some(wanted))
      .slice(-2)
      .map((r) => `${title}. ${when(r)}\n\n${steps(r.rows.filter(wanted))}\n`),
  );
  return `## Whole training steps

${when(record)} ${record.rows[0].isa}, Adam, batching and shuffling included, median of ${record.rounds} rounds or more.

${steps(record.rows)}

${others.join('\n')}`;
}

function compare(record) {
  const rows = record.rows.map((r) => [
    r.peer,
    r.version,
    r.optimizer,
    String(r.threads),
    r.samplesPerSecond.toLocaleString('en'),
    `${times(r.ratio)} (${r.ratioRange[0]} to ${r.ratioRange[1]})`,
  ]);
  const head = ['peer', 'version', 'optimizer', 'threads', 'samples/s', `${record.base} is faster by`];
  return `## The reference job

${when(record)} ${record.job}. ${record.rounds.kept} quiet rounds of ${record.rounds.run}.

${table(head, rows)}
`;
}

function pool(record) {
  const rows = record.rows.map((r) => [
    r.setting,
    String(r.threads),
    r.stepsPerSecond.toLocaleString('en'),
    percent(r.ofIdeal),
    String(r.chosen),
  ]);
  return `## The thread pool short of CPUs

${when(record)} Steps of 784-128-128-10, batch 128, Adam; median of ${record.rounds} rounds of ${record.secondsEach} s. The ideal
is the rate alone with as many threads as there are CPUs, half of it beside the busy processes, and the rate of one thread where
there is one CPU. Two threads wait for each other now and then, and a quota charges for that. "Chosen" is the size that the
pool takes there by itself.

${table(['setting', 'threads', 'steps/s', 'of the ideal', 'chosen'], rows)}
`;
}

function imports(record) {
  const rows = record.rows.map((r) => [r.case, `${r.cpuMs} ms`, `${r.wallMs} ms`]);
  return `## Importing the package

${when(record)} The packed package, installed in an empty folder; beyond what the empty program takes, the first row. Processor time
is the least of ${record.rounds} rounds, the clock's their median. \`import 'neurite'\` reads ${record.scripts} scripts of ${(record.bytes / 1e6).toFixed(2)} MB
and loads Node's ${record.builtins.join(', ')}; how much that may be, \`npm run test:package\` checks.

${table(['import of', 'processor time', 'by the clock'], rows)}
`;
}

const parts = [
  ['kernels', kernels],
  ['train', train],
  ['pool', pool],
  ['import', imports],
  [undefined, compare],
].flatMap(([kind, write]) => {
  const record = latest(kind);
  return record === undefined ? [] : [write(record)];
});
const text = `# Benchmarks

<!-- Written by bench/report.mjs from bench/history.jsonl; run \`npm run bench:report\` after a benchmark. -->

Absolute times do not travel between machines; ratios of one run do. All peers take turns within each round, a ratio is the
median over the rounds, and rounds whose probe is more than 10 % off its median are dropped. PyTorch has the same number of
threads and, for single kernels, writes into existing tensors.

\`\`\`sh
npm run bench:probe     # what the machine gives
npm run bench:kernels   # single kernels
npm run bench:train     # whole training steps
npm run bench:pool      # the thread pool short of CPUs
npm run bench:import    # what importing the package costs
npm run bench:compare   # the MNIST job against other libraries
npm run bench:report    # writes this page
\`\`\`

${parts.join('\n')}`;
writeFileSync(here('../docs/benchmarks.md'), `${text.trimEnd()}\n`);
console.log(`docs/benchmarks.md: ${parts.length} of 5 sections, from ${records.length} records`);
