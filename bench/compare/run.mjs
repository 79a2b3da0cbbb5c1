// npm run bench:compare -- [--rounds N] [--ms N] [--only name,name] [--json] [--no-history]
//
// Trains the reference job (MNIST, 784-128-128-10, ReLU, cross-entropy, batch 128) with Neurite and its peers, each in one
// long-lived process, and reports ratios. Absolute times do not travel between machines, so every figure comes from rounds
// in which all peers take turns within a few seconds; a round whose probe is more than 10 % off the median probe is dropped.
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, existsSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuProbe, median } from '../probe.mjs';
import { mnistFolder } from './mnist.mjs';

const JAX_JS = '0.1.25';
const TOLERANCE = 0.1;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '20' },
    ms: { type: 'string', default: '300' },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    'no-history': { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
const roundMs = Number(options.ms);
if (!Number.isInteger(rounds) || rounds < 1)
  throw new Error(`--rounds: got ${options.rounds}, expected a whole number >= 1`);
if (!(roundMs >= 10)) throw new Error(`--ms: got ${options.ms}, expected a number >= 10`);
const note = (text) => process.stderr.write(`${text}\n`);

const all = [
  { name: 'neurite', command: [process.execPath, here('peer-neurite.mjs')] },
  { name: 'neurite-1t', command: [process.execPath, here('peer-neurite.mjs'), '1'] },
  { name: 'neurite-fit', command: [process.execPath, here('peer-neurite-fit.mjs')] },
  { name: 'js', command: [process.execPath, here('peer-js.mjs')] },
  { name: 'jax-js-adam', command: [process.execPath, here('peer-jax.mjs'), 'adam'], needs: installJax },
  { name: 'jax-js-sgd', command: [process.execPath, here('peer-jax.mjs'), 'sgd'], needs: installJax },
  { name: 'torch-1t', command: ['python3', here('peer_torch.py'), '1', mnistFolder()], needs: findTorch },
  { name: 'torch-2t', command: ['python3', here('peer_torch.py'), '2', mnistFolder()], needs: findTorch },
];

/** Peers are installed on demand and never become dependencies of the package. */
function installJax() {
  if (existsSync(here('peers/node_modules/@jax-js/jax'))) return;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const flags = ['--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--prefix', here('peers')];
  execFileSync(npm, ['install', ...flags, `@jax-js/jax@${JAX_JS}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
}

function findTorch() {
  execFileSync('python3', ['-c', 'import torch'], { stdio: 'ignore' });
}

/** Starts a peer and returns it with `train(steps)`; fails when its process ends. */
async function start({ name, command, needs }) {
  needs?.();
  const child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const failed = new Promise((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`its process ended (${signal ?? code})`)));
  });
  failed.catch(() => {});
  const answer = async () => {
    const line = await Promise.race([lines.next(), failed]);
    if (line.done) throw new Error('its process closed its output');
    return JSON.parse(line.value);
  };
  const about = await answer();
  const train = (steps) => {
    child.stdin.write(`${JSON.stringify({ steps })}\n`);
    return answer();
  };
  return { name, about, train, steps: 0, samples: 0, loss: 0, speeds: [], stop: () => child.kill() };
}

/** Warms the peer up and finds how many steps take about a round. */
async function calibrate(peer) {
  let steps = 8;
  for (let i = 0; i < 12; i++) {
    const { seconds } = await peer.train(steps);
    if (i > 3 && seconds * 1000 > roundMs * 0.8) break;
    steps = Math.max(1, Math.round(steps * Math.min(4, roundMs / 1000 / seconds || 4)));
  }
  peer.steps = steps;
}

async function main() {
  const wanted = options.only?.split(',');
  const unknown = wanted?.filter((w) => !all.some((p) => p.name === w)) ?? [];
  if (unknown.length > 0) throw new Error(`--only: unknown ${unknown}; expected some of ${all.map((p) => p.name)}`);
  const loadBefore = loadavg()[0];
  if (loadBefore > cpus().length / 2) {
    note(`the load average is ${loadBefore.toFixed(1)}: other work is running, and figures will be worth little`);
  }
  const peers = [];
  for (const spec of all.filter((p) => wanted?.includes(p.name) ?? true)) {
    try {
      const peer = await start(spec);
      await calibrate(peer);
      peers.push(peer);
      note(`${peer.name}: ${peer.about.version}, ${peer.about.optimizer}, ${peer.steps} steps a round`);
    } catch (cause) {
      note(`${spec.name}: left out: ${cause.message.split('\n')[0]}`);
    }
  }
  if (peers.length === 0) throw new Error('no peer could run');

  const probe = cpuProbe();
  const probes = [];
  const keptRounds = () => {
    const middle = median(probes);
    return probes.flatMap((p, i) => (Math.abs(p / middle - 1) <= TOLERANCE ? [i] : []));
  };
  for (let r = 0; r < 10 * rounds && (r < rounds || keptRounds().length < rounds); r++) {
    const before = await probe.measure();
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[(i + r) % peers.length]; // nobody always goes first
      const { seconds, samples, loss } = await peer.train(peer.steps);
      peer.speeds.push(samples / seconds);
      peer.loss = loss;
      peer.samples = samples;
      await new Promise((resolve) => setTimeout(resolve, 10)); // spinning threads of the last peer go to sleep
    }
    const after = await probe.measure();
    // The worse end of the round decides: a disturbance at either end shows.
    probes.push(Math.min(before, after));
    note(`round ${r + 1}: probe ${Math.round(probes[r])}, ${keptRounds().length} kept`);
  }
  await probe.close();
  for (const peer of peers) peer.stop();

  const kept = keptRounds();
  const base = peers[0];
  const at = (peer) => kept.map((i) => peer.speeds[i]);
  const rows = peers.map((peer) => ({
    peer: peer.name,
    ...peer.about,
    samplesPerRound: peer.samples,
    samplesPerSecond: Math.round(median(at(peer))),
    ratio: Number(median(kept.map((i) => base.speeds[i] / peer.speeds[i])).toPrecision(3)),
    ratioRange: [Math.min, Math.max].map((f) =>
      Number(f(...kept.map((i) => base.speeds[i] / peer.speeds[i])).toPrecision(3)),
    ),
    lastLoss: Number(peer.loss.toPrecision(3)),
  }));
  for (const row of rows) delete row.ready;
  const result = {
    date: new Date().toISOString(),
    commit: commit(),
    cpu: cpus()[0].model,
    cpus: cpus().length,
    node: process.version,
    job: 'MNIST 784-128-128-10, ReLU, batch 128, float32, shuffling and batching included',
    rounds: { run: probes.length, kept: kept.length, wanted: rounds, ms: roundMs },
    probes: {
      unit: 'million multiply-adds a second, slowest CPU',
      median: Math.round(median(probes)),
      min: Math.round(Math.min(...probes)),
      max: Math.round(Math.max(...probes)),
    },
    loadBefore: Number(loadBefore.toFixed(2)),
    base: base.name,
    rows,
  };
  if (!options['no-history'] && kept.length >= rounds) {
    appendFileSync(here('../history.jsonl'), `${JSON.stringify(result)}\n`);
  }
  report(result);
}

function commit() {
  try {
    const git = (...args) =>
      execFileSync('git', args, { cwd: here('.'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return (
      git('rev-parse', '--short', 'HEAD') +
      (git('status', '--porcelain', '--', '../../src', '../../native') === '' ? '' : '+changes')
    );
  } catch {
    return null;
  }
}

function report(result) {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const { kept, run, wanted } = result.rounds;
  const head = [
    'peer',
    'version',
    'optimizer',
    'loss',
    'threads',
    'samples a round',
    'samples/s',
    `${result.base} is faster by`,
    'last loss',
  ];
  const body = result.rows.map((r) => [
    r.peer,
    r.version,
    r.optimizer,
    r.loss,
    r.threads,
    r.samplesPerRound,
    r.samplesPerSecond.toLocaleString('en'),
    `${r.ratio}x (${r.ratioRange[0]}-${r.ratioRange[1]})`,
    r.lastLoss,
  ]);
  console.log(`${result.job}\n${result.cpu}, ${result.cpus} CPUs, Node ${result.node}`);
  console.log(
    `rounds: ${run} run, ${kept} kept; probe median ${result.probes.median} (${result.probes.min}-${result.probes.max}) ${result.probes.unit}\n`,
  );
  for (const line of [head, head.map(() => '---'), ...body]) console.log(`| ${line.join(' | ')} |`);
  if (kept < wanted)
    console.log(
      `\nOnly ${kept} of ${wanted} rounds were quiet enough: the machine is busy; do not quote these figures.`,
    );
}

await main();
