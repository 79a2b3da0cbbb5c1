// An HTTP server in the process that trains, and a client in another: how long does an answer take while `fit` runs?
//   npm run bench:event-loop [-- --seconds 20] [--json]      on the built package
// The client asks 100 times a second, whether or not the answer before has come, as strangers do: waiting shows.
import { fork } from 'node:child_process';
import { Agent, createServer, get } from 'node:http';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
const argument = (name, otherwise) => {
  const at = process.argv.indexOf(name);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const EVERY_MS = 10;

/** The server; with threads it trains 784-128-128-10 at batch 128 from arrays in memory, over and over. */
async function serve({ threads }) {
  const server = createServer((_, response) => response.end('{"ok":true}'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  let steps = 0;
  if (threads > 0) {
    const { configure, fit, nn, seed, uniform } = await import('../dist/index.js');
    configure({ threads });
    seed(1);
    const layers = [
      new nn.Linear(784, 128),
      new nn.ReLU(),
      new nn.Linear(128, 128),
      new nn.ReLU(),
      new nn.Linear(128, 10),
    ];
    const model = new nn.Sequential(...layers);
    const samples = 20_000;
    const x = { data: await uniform([samples, 784]).data(), shape: [samples, 784] };
    const y = Int32Array.from({ length: samples }, (_, i) => i % 10);
    const run = fit(
      model,
      { x, y },
      {
        loss: 'crossEntropy',
        optimizer: 'adam',
        metrics: ['accuracy'],
        epochs: 100_000,
        batchSize: 128,
        onProgress: (e) => {
          steps = e.epoch * e.stepsPerEpoch + e.step;
        },
      },
    );
    run.catch((error) => {
      console.error(error);
      process.exit(1);
    });
  }
  process.on('message', (question) => {
    if (question === 'steps') process.send({ steps, cpu: process.cpuUsage() });
    else process.exit(0);
  });
  process.send({ port: server.address().port });
}

const message = (child) =>
  new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`the server ended with code ${code}`)));
  });

async function measure(threads, seconds) {
  const child = fork(self, ['--serve', JSON.stringify({ threads })]);
  const { port } = await message(child);
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const times = [];
  const ask = () =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      get({ port, host: '127.0.0.1', agent }, (response) => {
        response.resume();
        response.on('end', () => resolve(performance.now() - began));
      }).on('error', reject);
    });
  await new Promise((resolve) => setTimeout(resolve, 2000)); // until it trains steadily
  for (let i = 0; i < 50; i++) await ask();
  child.send('steps');
  const before = await message(child);
  const began = performance.now();
  const asked = [];
  for (let i = 0; i < (seconds * 1000) / EVERY_MS; i++) {
    const wait = began + i * EVERY_MS - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    asked.push(ask().then((t) => times.push(t)));
  }
  await Promise.all(asked);
  const spent = (performance.now() - began) / 1000;
  child.send('steps');
  const after = await message(child);
  child.send('end');
  agent.destroy();
  times.sort((a, b) => a - b);
  const quantile = (q) => Number(times[Math.min(times.length - 1, Math.floor(q * times.length))].toFixed(2));
  return {
    threads,
    requests: times.length,
    p50: quantile(0.5),
    p99: quantile(0.99),
    max: quantile(1),
    stepsPerSecond: Math.round((after.steps - before.steps) / spent),
    cpus: Number(((after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system) / 1e6 / spent).toFixed(2)),
  };
}

async function main() {
  const seconds = Number(argument('--seconds', '20'));
  if (!(seconds > 0)) throw new Error(`--seconds is ${argument('--seconds')}, expected a number > 0`);
  const rows = [];
  for (const threads of [0, 1, 2]) rows.push(await measure(threads, seconds));
  if (process.argv.includes('--json')) console.log(JSON.stringify(rows));
  else {
    console.log(
      `${cpus().length} × ${cpus()[0].model}, load ${loadavg()[0].toFixed(1)}; milliseconds; threads 0: no training`,
    );
    console.table(rows);
  }
}

if (process.argv[2] === '--serve') await serve(JSON.parse(process.argv[3]));
else await main();
