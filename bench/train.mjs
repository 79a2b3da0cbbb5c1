// npm run bench:train -- [--only net] [--rounds N] [--ms N] [--threads 1,2] [--peers a,b] [--json] [--no-history]
//
// Whole training steps of the networks of nets.mjs, batching and shuffling included: Neurite against PyTorch (eager and
// compiled, same threads), and where there are no images hand-written JavaScript and jax-js (one thread each). --peers all adds the slow ones, tfjs and
// brain.js. --json prints one object a line.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { floorSeconds } from './cases.mjs';
import {
  calibrate,
  chosen,
  circumstances,
  digits,
  findTorch,
  installPeer,
  interleave,
  medianOf,
  note,
  ratioOf,
  remember,
  roundProbe,
  startPeer,
  wholeOption,
} from './harness.mjs';
import { bytesOf, flopOf, NETS } from './nets.mjs';
import { machineProbe } from './probe.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const node = (file, ...args) => [process.execPath, here(`peers/${file}`), ...args];
const python = (...args) => ['python3', here('peers/torch_train.py'), ...args];
const TFJS = '4.22.0';
const BRAIN_JS = '2.0.0-beta.24';
const PEERS = {
  torch: { images: true, needs: findTorch, command: (net, t) => python(JSON.stringify(net), t, 'eager') },
  'torch-compile': {
    images: true,
    needs: findTorch,
    command: (net, t) => python(JSON.stringify(net), t, 'compile'),
  },
  js: { command: (net) => node('js-train.mjs', net.id), not: ['large'] },
  'jax-js': {
    needs: () => installPeer({ '@jax-js/jax': '0.1.25' }),
    command: (net) => node('jax-train.mjs', net.id),
    not: ['large'],
  },
  'tfjs-wasm': { needs: installTfjs, command: (net) => node('tfjs-train.mjs', net.id, 'wasm'), not: ['large'] },
  'tfjs-cpu': { needs: installTfjs, command: (net) => node('tfjs-train.mjs', net.id, 'cpu'), not: ['large', 'wide'] },
  'brain.js': {
    needs: () => installPeer({ 'brain.js': BRAIN_JS }, 'brain'),
    command: (net) => node('brain-train.mjs', net.id),
    not: ['large', 'wide'],
  },
};

function installTfjs() {
  installPeer({ '@tensorflow/tfjs': TFJS, '@tensorflow/tfjs-backend-wasm': TFJS }, 'tfjs');
}

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '20' },
    ms: { type: 'string', default: '40' },
    threads: { type: 'string', default: availableParallelism() > 1 ? '1,2' : '1' },
    peers: { type: 'string', default: 'torch,torch-compile,js,jax-js' },
    json: { type: 'boolean', default: false },
    'no-history': { type: 'boolean', default: false },
  },
});
const rounds = wholeOption('rounds', options.rounds, 1);
const ms = wholeOption('ms', options.ms, 1);
const threadCounts = options.threads.split(',').map((t) => wholeOption('threads', t, 1));
const nets = chosen(NETS, options.only);
const peers = options.peers === 'all' ? Object.keys(PEERS) : options.peers.split(',').filter((p) => p !== '');
for (const p of peers) if (!(p in PEERS)) throw new Error(`--peers: no ${p}; there are ${Object.keys(PEERS)}`);

const about = circumstances();
const machine = await machineProbe(threadCounts);

async function contender(name, spec, net, threads) {
  const peer = await startPeer({ name, needs: spec.needs, command: spec.command(net, String(threads)) });
  const run = async (steps) => (await peer.ask({ steps })).seconds;
  const steps = await calibrate(run, ms);
  return { name, about: peer.about, stop: peer.stop, run: async () => (await run(steps)) / steps };
}

async function measure(net, threads, probe) {
  const own = { command: (n, t) => node('neurite-train.mjs', n.id, t) };
  const entries = [await contender('neurite', own, net, threads)];
  for (const name of peers) {
    if (PEERS[name].not?.includes(net.id) || (net.image !== undefined && !PEERS[name].images)) continue;
    try {
      entries.push(await contender(name, PEERS[name], net, threads));
    } catch (cause) {
      note(`${net.id}, ${threads} thread(s), ${name}: left out: ${cause.message.split('\n')[0]}`);
    }
  }
  const result = await interleave(entries, { rounds, probe });
  for (const e of entries) e.stop();
  const { isa } = entries[0].about;
  const seconds = medianOf(result, 0);
  const floor = floorSeconds(
    { flop: flopOf(net), bytes: bytesOf(net), stream: 'update' },
    machine.threads[threads],
    isa,
    threads,
  );
  const common = {
    case: net.id,
    threads,
    isa,
    seconds: digits(seconds),
    samplesPerSecond: Math.round(net.batch / seconds),
    floorFraction: digits(floor / seconds),
    kept: result.kept.length,
  };
  if (entries.length === 1) return [common];
  return entries.slice(1).map((e, i) => ({
    ...common,
    peer: e.name,
    peerVersion: e.about.version,
    peerSeconds: digits(medianOf(result, i + 1)),
    ratio: digits(ratioOf(result, i + 1, 0)),
  }));
}

const rows = [];
for (const threads of threadCounts) {
  const probe = await roundProbe(threads);
  for (const net of nets) {
    for (const row of await measure(net, threads, probe)) {
      rows.push(row);
      if (options.json) console.log(JSON.stringify(row));
      else {
        const against = row.peer === undefined ? '' : `, ${row.ratio}x ${row.peer} (${row.peerVersion})`;
        console.log(
          `${row.case.padEnd(8)} ${threads}t ${(row.seconds * 1e6).toFixed(1).padStart(10)} us, ` +
            `${Math.round(100 * row.floorFraction)}% of floor, ${row.samplesPerSecond} samples/s${against}` +
            (row.kept < rounds ? ` (only ${row.kept} quiet rounds)` : ''),
        );
      }
    }
  }
  probe.close();
}
if (!options['no-history']) remember({ kind: 'train', ...about, rounds, probes: machine, rows });
