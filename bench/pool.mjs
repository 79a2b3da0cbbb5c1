// The thread pool when the machine has less to give than it promises: steps a second of one network for several numbers of
// threads, alone, beside a busy neighbour, and confined to one CPU.   node bench/pool.mjs [--json]   (on the built package)
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
const SECONDS = 1.5;

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

/** The same in a process of its own, the better of two. */
function measure(threads, prefix = []) {
  const [command, ...args] = [...prefix, process.execPath, self, 'child', String(threads)];
  const rates = [0, 1].map(() => Number(spawnSync(command, args, { encoding: 'utf8', timeout: 120_000 }).stdout));
  return Math.max(...rates);
}

if (process.argv[2] === 'child') {
  console.log(await steps(Number(process.argv[3])));
} else {
  const neighbours = [];
  const settings = { alone: [], 'busy neighbour': [] };
  if (spawnSync('taskset', ['-c', '0', 'true']).status === 0) settings['one CPU'] = ['taskset', '-c', '0'];
  const rows = [];
  for (const [setting, prefix] of Object.entries(settings)) {
    if (setting === 'busy neighbour')
      neighbours.push(spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }));
    const rates = [1, 2, 4].map((threads) => measure(threads, prefix));
    for (const n of neighbours.splice(0)) n.kill();
    for (const [i, threads] of [1, 2, 4].entries()) {
      rows.push({
        setting,
        threads,
        stepsPerSecond: Math.round(rates[i]),
        ofOneThread: +(rates[i] / rates[0]).toFixed(2),
      });
    }
  }
  if (process.argv.includes('--json')) for (const row of rows) console.log(JSON.stringify(row));
  else console.table(rows);
}
