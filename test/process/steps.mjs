// Resident memory before and after STEPS training steps, half as many run before: node --expose-gc steps.mjs MODE STEPS.
// Last line: { early, late, loss }.
import { xor } from './net.mjs';

const [mode, count] = [process.argv[2], Number(process.argv[3])];
const { eager, compiled, x, y } = xor();
const step = {
  sync: () => eager().itemSync(),
  compiledSync: () => compiled.sync(x, y).itemSync(),
  async: async () => await eager().item(),
  compiledAsync: () => compiled(x, y),
}[mode];

const rss = () => {
  global.gc();
  global.gc();
  return process.memoryUsage().rss;
};
let early = 0;
let loss = 0;
for (let i = -count / 2; i < count; i++) {
  loss = step();
  if (mode === 'async') loss = await loss;
  else if (mode === 'compiledAsync' && i % 100 === 0) loss = await loss.item();
  if (i === 0) early = rss();
}
if (typeof loss !== 'number') loss = await loss.item();
console.log(JSON.stringify({ early, late: rss(), loss }));
