// Kills a training run at random moments, starts it again, and checks that it always goes on, never from an older state than
// the last finished save, and ends in the bytes of a run that nobody killed. npm run test:crash -- --kills 500 --seed 1
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { optim } from 'neurite';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '20' }, seed: { type: 'string', default: '1' } },
});
const kills = Number(values.kills);
const program = fileURLToPath(new URL('train.mjs', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'neurite-crash-'));
const bases = ['FusedOptimizer'];
const optimizers = Object.keys(optim).filter(
  (name) => optim[name].prototype instanceof optim.Optimizer && !bases.includes(name),
);

let state = Number(values.seed) >>> 0;
function random() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

/** Runs the program; kills it `after` ms from the line that begins with `from`, or from its birth when that is ''. */
function attempt(args, kill) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const seen = { started: null, saved: null, done: null, signal: null, code: null, stderr: '' };
    let rest = '';
    let timer;
    const arm = () => {
      if (kill !== null) timer ??= setTimeout(() => child.kill('SIGKILL'), kill.after);
    };
    if (kill?.from === '') arm();
    child.stdout.on('data', (text) => {
      rest += text;
      const lines = rest.split('\n');
      rest = lines.pop();
      for (const line of lines) {
        const [what, value] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)];
        if (what === 'start') seen.started = Number(value);
        if (what === 'saved') seen.saved = Number(value);
        if (what === 'done') seen.done = value;
        if (what === kill?.from) arm();
      }
    });
    child.stderr.on('data', (text) => {
      seen.stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...seen, code, signal });
    });
  });
}

function check(condition, what) {
  if (!condition) throw new Error(what);
}

const totals = { kills: 0, runs: 0, starts: 0, whileResuming: 0 };
try {
  for (let r = 0; totals.kills < kills; r++) {
    const optimizer = optimizers[r % optimizers.length];
    const reference = join(scratch, `reference-${optimizer}.safetensors`);
    const whole = await attempt([join(scratch, `whole-${r}`), optimizer, reference], null);
    check(whole.code === 0, `the uninterrupted run failed: ${whole.stderr}`);
    const file = join(scratch, `${r}.safetensors`);
    let last = 0;
    for (;;) {
      const early = random() < 0.15; // also while it loads
      const wanted = totals.kills < kills;
      const kill = wanted ? { from: early ? '' : 'start', after: random() * 300 } : null;
      const run = await attempt([join(scratch, `run-${r}`), optimizer, file], kill);
      totals.starts++;
      const told = `run ${r} (${optimizer}), start ${totals.starts}`;
      check(run.signal === 'SIGKILL' || run.code === 0, `${told}: exit ${run.code}: ${run.stderr}`);
      if (run.started !== null) {
        check(run.started >= last, `${told}: went on from step ${run.started}, step ${last} was saved`);
        check(run.started === 0 || run.started % 3 === 0 || run.started % 12 === 0, `${told}: step ${run.started}`);
      } else if (run.signal !== null) totals.whileResuming++;
      last = Math.max(last, run.saved ?? 0, run.started ?? 0);
      if (run.signal === 'SIGKILL') totals.kills++;
      if (run.done === null) continue;
      check(run.done === whole.done, `${told}: another history: ${run.done} instead of ${whole.done}`);
      if (run.code !== 0) continue; // killed between the last line and its end
      check(readFileSync(file).equals(readFileSync(reference)), `${told}: the parameters differ`);
      break;
    }
    totals.runs++;
  }
  console.log(JSON.stringify(totals));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
