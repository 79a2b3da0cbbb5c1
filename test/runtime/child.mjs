// Scenarios of pool.test.ts, each in a process of its own: node child.mjs <scenario> <addon>. Prints one JSON value.
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';

const [scenario, binary] = isMainThread ? process.argv.slice(2) : [workerData.scenario, workerData.binary];
const self = fileURLToPath(import.meta.url);
const load = () => createRequire(import.meta.url)(binary);

const N = 256;
/** c = a b, N x N, as words of native/program/opcodes.inc: slots a, b (READ), c (WRITE). */
const gemm = [5, 18, 0, 0, 0, 0, 0, 1, N, N, N, 0, 0, ~0, ~1, ~2, -(2 ** 31), -(2 ** 31), -(2 ** 31)];
gemm[1] = gemm.length;
const slots = [1, 1, 2].flatMap((flags) => [0, N * N, flags]);
const program = Int32Array.from([0x4e525445, 1, 3, 1, 0, 6 + slots.length + gemm.length, ...slots, ...gemm]);

const kept = []; // queued runs do not keep their buffers alive: the caller does

function buffers(native) {
  const made = [0, 1, 2].map((k) => {
    const buffer = new ArrayBuffer(N * N * 4 + 63);
    const view = new Float32Array(buffer, native.alignOffset(buffer), N * N);
    for (let i = 0; k < 2 && i < view.length; i++) view[i] = Math.sin(i * (k + 1));
    return buffer;
  });
  kept.push(made);
  return made;
}
const result = (native, b) => Buffer.from(b[2], native.alignOffset(b[2]), N * N * 4).toString('base64');
const print = (value) => console.log(JSON.stringify(value));

const scenarios = {
  info() {
    const native = load();
    print(native.info());
  },

  async idle() {
    const native = load();
    native.configure({ threads: 4 });
    const p = native.load(program);
    const b = buffers(native);
    native.run(p, b, 10);
    native.enqueue(p, b, 10, 1, []);
    native.wait(0);
    await sleep(50);
    const before = process.cpuUsage();
    await sleep(300);
    const { user, system } = process.cpuUsage(before);
    print((user + system) / 1000);
  },

  /** Nothing but the queued run keeps this process alive. */
  pending() {
    const native = load();
    native.onComplete((lastId) => print(lastId));
    native.enqueue(native.load(program), buffers(native), 50, 7, []);
  },

  exit() {
    const native = load();
    native.enqueue(native.load(program), buffers(native), 1_000_000, 1, []);
    print('leaving');
    process.exit(0);
  },

  async terminate() {
    // The addon is loaded by workers only, so every one of them would be the last to unload it.
    for (let i = 0; i < 20; i++) {
      const worker = new Worker(self, { workerData: { scenario: 'endless', binary } });
      await new Promise((resolve) => worker.once('message', resolve));
      await sleep(i % 5);
      await worker.terminate();
    }
    print('alive');
  },

  async endless() {
    const { parentPort } = await import('node:worker_threads');
    const native = load();
    const p = native.load(program);
    const b = buffers(native);
    native.onComplete(() => {});
    for (let id = 1; id <= 3; id++) native.enqueue(p, b, 1_000_000, id, []);
    parentPort.postMessage('running');
    setInterval(() => {}, 1000);
  },

  async share() {
    const native = load();
    const b = buffers(native);
    native.run(native.load(program), b, 1);
    const expected = result(native, b);
    const workers = Array.from({ length: 4 }, () => new Worker(self, { workerData: { scenario: 'compute', binary } }));
    const results = await Promise.all(workers.map((w) => new Promise((resolve) => w.once('message', resolve))));
    print(results.map((r) => r === expected));
  },

  async compute() {
    const { parentPort } = await import('node:worker_threads');
    const native = load();
    const p = native.load(program);
    const b = buffers(native);
    for (let i = 0; i < 20; i++) native.run(p, b, 3);
    parentPort.postMessage(result(native, b));
  },
};

await scenarios[scenario]();
