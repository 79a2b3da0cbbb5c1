// The thread pool when the machine has less to give than it promises: steps a second of one network for several numbers of
// threads, alone, beside a busy neighbour, confined to one CPU, and with a quota of one. Medians of interleaved rounds.
//   node bench/pool.mjs [--json]   (on the built package)
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
const SECONDS = 1;
const ROUNDS = 5;

/** Steps a second of 784-128-128-10, batch 128, Adam; the pool has as many threads as it is told, CPUs or not. */
async function steps(threads) {
  const { compile, configure, crossEntropy, flush, nn, normal, optim, realize, seed, tensor, valueAndGrad } =
    await import('../dist/index.js');
  configure({ threads });
  seed(1);
  const sizes = [784, 128, 128, 10];
  const layers = sizes.slice(1).flatMap((n, i) => [new nn.Linear(sizes[i], n), new nn.ReLU()]);
  const model = new nn.Sequential(...layers.slice(0, -1));
  const optimizer = new optim.Adam({ lr: 1e-3 });
  const lossAndGrad = valueAndGrad(model, (x, y) => crossEntropy(model.forward(x), y));
  const step = compile((x, y) => {
    const [loss, grads] = lossAndGrad(x, y);
    optimizer.update(model, grads);
    return loss;
  });
  const x = normal([128, 784]).keep();
  const y = tensor(Int32Array.from({ length: 128 }, (_, i) => i % 10));
  await realize(x);
  for (let i = 0; i < 50; i++) step.sync(x, y);
  await flush();
  let n = 0;
  const start = performance.now();
  let now = start;
  for (; now - start < SECONDS * 1000; n++, now = performance.now()) step.sync(x, y);
  return (n / (now - start)) * 1000;
}

/** The same in a process of its own, entered through the command `prefix`. */
function measure(threads, prefix) {
  const [command, ...args] = [...prefix, process.execPath, self, 'child', String(threads)];
  return Number(spawnSync(command, args, { encoding: 'utf8', timeout: 120_000 }).stdout);
}

/** A command that enters a control group with the time of one CPU, or null where none can be made (root, Linux, cgroup v1 or v2). */
function quota() {
  const period = 100_000;
  for (const [directory, limits] of [
    ['/sys/fs/cgroup/cpu/neurite-bench', { 'cpu.cfs_period_us': `${period}`, 'cpu.cfs_quota_us': `${period}` }],
    ['/sys/fs/cgroup/neurite-bench', { 'cpu.max': `${period} ${period}` }],
  ]) {
    if (!existsSync(join(dirname(directory), 'cgroup.procs'))) continue;
    try {
      mkdirSync(directory);
      for (const [file, value] of Object.entries(limits)) writeFileSync(join(directory, file), value);
    } catch (error) {
      console.error(`pool: no control group: ${error.message}`);
      continue;
    }
    process.on('exit', () => rmdirSync(directory));
    return ['sh', '-c', `echo $$ > ${directory}/cgroup.procs && exec "$@"`, 'sh'];
  }
  return null;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

if (process.argv[2] === 'child') {
  console.log(await steps(Number(process.argv[3])));
} else {
  const settings = { alone: [], 'busy neighbour': [] };
  if (spawnSync('taskset', ['-c', '0', 'true']).status === 0) settings['one CPU'] = ['taskset', '-c', '0'];
  const limited = quota();
  if (limited !== null) settings['quota of one CPU'] = limited;
  const counts = [1, 2, 4];
  const rows = [];
  for (const [setting, prefix] of Object.entries(settings)) {
    const neighbour =
      setting === 'busy neighbour' ? spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }) : null;
    const rounds = Array.from({ length: ROUNDS }, () => counts.map((threads) => measure(threads, prefix)));
    neighbour?.kill();
    for (const [i, threads] of counts.entries()) {
      rows.push({
        setting,
        threads,
        stepsPerSecond: Math.round(median(rounds.map((rates) => rates[i]))),
        ofOneThread: +median(rounds.map((rates) => rates[i] / rates[0])).toFixed(2),
      });
    }
  }
  if (process.argv.includes('--json')) for (const row of rows) console.log(JSON.stringify(row));
  else console.table(rows);
}
