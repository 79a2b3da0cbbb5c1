// npm run bench:compare -- [--rounds N] [--ms N] [--only name,name] [--json] [--no-history]
//
// Trains the reference job (MNIST, 784-128-128-10, ReLU, cross-entropy, batch 128) with Neurite and its peers, each in one
// long-lived process, and reports ratios. Absolute times do not travel between machines, so every figure comes from rounds
// in which all peers take turns within a few seconds; a round whose probe is more than 10 % off the median probe is dropped.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  calibrate,
  circumstances,
  digits,
  findTorch,
  installPeer,
  interleave,
  note,
  remember,
  roundProbe,
  startPeer,
  wholeOption,
} from '../harness.mjs';
import { median } from '../probe.mjs';
import { mnistFolder } from './mnist.mjs';

const installJax = () => installPeer({ '@jax-js/jax': '0.1.25' });
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
const rounds = wholeOption('rounds', options.rounds, 1);
const roundMs = wholeOption('ms', options.ms, 10);

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

async function main() {
  const wanted = options.only?.split(',');
  const unknown = wanted?.filter((w) => !all.some((p) => p.name === w)) ?? [];
  if (unknown.length > 0) throw new Error(`--only: unknown ${unknown}; expected some of ${all.map((p) => p.name)}`);
  const about = circumstances();
  const peers = [];
  for (const spec of all.filter((p) => wanted?.includes(p.name) ?? true)) {
    try {
      const peer = { ...(await startPeer(spec)), samples: 0, loss: 0, steps: 1 };
      peer.steps = await calibrate(async (steps) => (await peer.ask({ steps })).seconds, roundMs);
      peer.run = async () => {
        const { seconds, samples, loss } = await peer.ask({ steps: peer.steps });
        Object.assign(peer, { samples, loss });
        return samples / seconds;
      };
      peers.push(peer);
      note(`${peer.name}: ${peer.about.version}, ${peer.about.optimizer}, ${peer.steps} steps a round`);
    } catch (cause) {
      note(`${spec.name}: left out: ${cause.message.split('\n')[0]}`);
    }
  }
  if (peers.length === 0) throw new Error('no peer could run');

  const probe = await roundProbe();
  const { probes, kept, numbers } = await interleave(peers, {
    rounds,
    probe,
    limit: 10,
    onRound: (r, p, quiet) => note(`round ${r + 1}: probe ${Math.round(p)}, ${quiet} kept`),
  });
  probe.close();
  for (const peer of peers) peer.stop();

  const base = peers[0];
  const ratios = (i) => kept.map((r) => numbers[0][r] / numbers[i][r]);
  const rows = peers.map((peer, i) => ({
    peer: peer.name,
    ...peer.about,
    samplesPerRound: peer.samples,
    samplesPerSecond: Math.round(median(kept.map((r) => numbers[i][r]))),
    ratio: digits(median(ratios(i))),
    ratioRange: [digits(Math.min(...ratios(i))), digits(Math.max(...ratios(i)))],
    lastLoss: digits(peer.loss),
  }));
  const result = {
    ...about,
    job: 'MNIST 784-128-128-10, ReLU, batch 128, float32, shuffling and batching included',
    rounds: { run: probes.length, kept: kept.length, wanted: rounds, ms: roundMs },
    probes: {
      unit: 'GFLOP/s, all CPUs together',
      median: Math.round(median(probes)),
      min: Math.round(Math.min(...probes)),
      max: Math.round(Math.max(...probes)),
    },
    base: base.name,
    rows,
  };
  if (!options['no-history'] && kept.length >= rounds) {
    remember(result);
  }
  report(result);
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
