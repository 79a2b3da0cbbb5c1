/** Functions that tests run in worker threads. */
import { threadId } from 'node:worker_threads';

function square(x) {
  return x * x;
}

// biome-ignore lint/style/noDefaultExport: what map calls without a name
export { square as default };

export async function slowAtFirst(x, index) {
  await new Promise((resolve) => setTimeout(resolve, index % 4 === 0 ? 20 : 1));
  return { x, index, threadId };
}

export function failsAt5(x) {
  if (x === 5) throw new RangeError('five is too much');
  return x;
}

export function endsProcess(x) {
  if (x === 3) process.exit(7);
  return x;
}
