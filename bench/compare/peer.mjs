// The child side of the comparison: a long-lived process that trains `steps` batches whenever the parent asks.
// Both directions speak one JSON object a line.
import { createInterface } from 'node:readline';

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/**
 * @param {object} about what the table says of this peer: optimizer, loss, batch, threads, version.
 * @param {(steps: number) => number | object | Promise<number | object>} train trains that many batches and returns the last
 *   loss, or { loss, samples } when it could not train exactly that many.
 */
export async function serve(about, train) {
  say({ ready: true, ...about });
  for await (const line of createInterface({ input: process.stdin })) {
    const { steps } = JSON.parse(line);
    const start = performance.now();
    const result = await train(steps);
    const seconds = (performance.now() - start) / 1000;
    const { loss, samples } = typeof result === 'number' ? { loss: result, samples: steps * about.batch } : result;
    say({ seconds, samples, loss });
  }
  process.exit(0);
}
