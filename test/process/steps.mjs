// Resident memory over many training steps: node --expose-gc steps.mjs MODE STEPS. Last line: { early, late, loss }.
import { xor } from './net.mjs';

const [mode, count] = [process.argv[2], Number(process.argv[3])];
const { eager, compiled, x, y } = xor();
const step = {
  sync: () => eager().itemSync(),
  compiledSync: () => compiled.sync(x, y).itemSync(),
  async: async () => (await eager().item()),
  compiledAsync: () => compiled(x, y),
}[mode];

const rss = () => {
  global.gc();
  global.gc();
  return process.memoryUsage().rss;
};
let early = 0;
let loss = 0;
for (let i = 0; i < count; i++) {
  loss = step();
  if (mode === 'async') loss = await loss;
  else if (mode === 'compiledAsync' && i % 100 === 99) loss = await loss.item();
  if (i === count / 2) early = rss(); // V8 has grown its young generation by then
}
console.log(JSON.stringify({ early, late: rss(), loss: Number(loss) }));
