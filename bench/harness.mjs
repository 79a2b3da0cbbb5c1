// What every comparison shares: long-lived peer processes that speak one JSON object a line, rounds in which all take turns,
// and the probe and the rule that drop disturbed rounds.
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { nativeProgram } from '../tools/native-program.mjs';
import { median } from './probe.mjs';

const TOLERANCE = 0.1;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export const note = (text) => process.stderr.write(`${text}\n`);
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Starts a peer: what it says of itself, and `ask(question)`, which fails when its process ends. */
export async function startPeer({ name, command, needs, env }) {
  needs?.();
  const child = spawn(command[0], command.slice(1), {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const failed = new Promise((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => reject(new Error(`its process ended (${signal ?? code})`)));
  });
  failed.catch(() => {});
  const answer = async () => {
    const line = await Promise.race([lines.next(), failed]);
    if (line.done) throw new Error('its process closed its output');
    const message = JSON.parse(line.value);
    if (message.error !== undefined) throw new Error(message.error);
    return message;
  };
  const { ready: _, ...about } = await answer();
  const ask = (question) => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    return answer();
  };
  return { name, about, ask, stop: () => child.kill() };
}

/**
 * Installs packages of one peer on demand, their scripts disabled; they never become dependencies of the package. Each peer has
 * a folder of its own: npm removes from a folder what the last command did not name.
 */
export function installPeer(packages, folder = '.') {
  const prefix = here(`compare/peers/${folder}`);
  if (Object.keys(packages).every((name) => existsSync(`${prefix}/node_modules/${name}`))) return;
  mkdirSync(prefix, { recursive: true });
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const flags = ['--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--prefix', prefix];
  execFileSync(npm, ['install', ...flags, ...Object.entries(packages).map(([name, version]) => `${name}@${version}`)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
}

export function findTorch() {
  execFileSync('python3', ['-c', 'import torch'], { stdio: 'ignore' });
}

/**
 * The probe of every round: GFLOP/s that `threads` threads reach together in 2 ms of multiply-adds as wide as the peers'. Narrow
 * work would not show a neighbour on the other half of a core, which takes half of what a product needs.
 */
export async function roundProbe(threads = availableParallelism(), isa = undefined) {
  const command = [nativeProgram('neurite_probe'), '--rounds', `${threads}`, ...(isa === undefined ? [] : [isa])];
  const { ask, stop } = await startPeer({ name: 'probe', command });
  return { measure: async () => (await ask({})).gflops, close: stop };
}

/** Warms up and returns how many repetitions take about `ms`. `run(count)` answers with seconds. */
export async function calibrate(run, ms, first = 1) {
  let count = first;
  for (let i = 0; i < 16; i++) {
    const seconds = await run(count);
    const factor = ms / 1000 / Math.max(seconds, 1e-9);
    const enough = count === 1 ? seconds * 1000 >= ms : Math.abs(Math.log(factor)) < 0.3;
    if (i >= 2 && (enough || (count === 1 && factor < 1))) break;
    count = Math.max(1, Math.round(count * Math.min(16, factor)));
  }
  return count;
}

/**
 * Rounds in which every entry of `entries` runs once, a probe before and after; runs more until `rounds` are quiet or
 * three times as many were run. An entry has `run()`, which answers with a number; its numbers come back by round.
 */
export async function interleave(entries, { rounds, probe, gapMs = 10, limit = 3, onRound = () => {} }) {
  const probes = [];
  const numbers = entries.map(() => []);
  const kept = () => {
    // One that was measured: where the clock has two speeds, no round need be near their mean.
    const middle = probes.toSorted((a, b) => a - b)[probes.length >> 1];
    return probes.flatMap((p, i) => (Math.abs(p / middle - 1) <= TOLERANCE ? [i] : []));
  };
  for (let r = 0; r < limit * rounds && (r < rounds || kept().length < rounds); r++) {
    const before = await probe.measure();
    for (let i = 0; i < entries.length; i++) {
      const at = (i + r) % entries.length; // nobody always goes first
      numbers[at].push(await entries[at].run());
      await sleep(gapMs); // spinning threads of the last peer go to sleep
    }
    const after = await probe.measure();
    probes.push(Math.min(before, after)); // the worse end decides: a disturbance at either shows
    onRound(r, probes[r], kept().length);
  }
  return { probes, kept: kept(), numbers };
}

/** Medians over the kept rounds: of the numbers of entry i, and of the ratios of entry i to entry j. */
export const medianOf = ({ numbers, kept }, i) => median(kept.map((r) => numbers[i][r]));
export const ratioOf = ({ numbers, kept }, i, j) => median(kept.map((r) => numbers[i][r] / numbers[j][r]));

export function commit() {
  try {
    const git = (...args) =>
      execFileSync('git', args, { cwd: here('.'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const changed = git('status', '--porcelain', '--', '../src', '../native') !== '';
    return git('rev-parse', '--short', 'HEAD') + (changed ? '+changes' : '');
  } catch {
    return null;
  }
}

/** What every record says of where and when. */
export function circumstances() {
  const load = loadavg()[0];
  if (load > cpus().length / 2) {
    note(`the load average is ${load.toFixed(1)}: other work is running, and figures will be worth little`);
  }
  return {
    date: new Date().toISOString(),
    commit: commit(),
    cpu: cpus()[0].model,
    cpus: cpus().length,
    node: process.version,
    loadBefore: Number(load.toFixed(2)),
  };
}

export function remember(result) {
  appendFileSync(here('history.jsonl'), `${JSON.stringify(result)}\n`);
}

export const digits = (x, n = 3) => Number(x.toPrecision(n));

/** `--rounds`-like options as whole numbers >= low. */
export function wholeOption(name, text, low) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < low) {
    throw new Error(`--${name}: got ${text}, expected a whole number >= ${low}`);
  }
  return value;
}

/** The members of `all` that a comma-separated `--only` names; an entry matches by its id or the part before the first dash. */
export function chosen(all, only) {
  if (only === undefined) return all;
  const wanted = only.split(',');
  const matches = (c, w) => c.id === w || c.id.startsWith(`${w}-`) || String(c.number) === w;
  for (const w of wanted) {
    if (!all.some((c) => matches(c, w)))
      throw new Error(`--only: no case ${w}; there are ${all.map((c) => c.id).join(', ')}`);
  }
  return all.filter((c) => wanted.some((w) => matches(c, w)));
}
