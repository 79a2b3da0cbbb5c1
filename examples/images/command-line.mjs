import { parseArgs } from 'node:util';
import { configure, seed } from 'neurite';

/** A mistake on the command line: one line for the user, exit code 2. */
export class UsageError extends Error {}

/**
 * The options of an example from the words after the script's name, with threads and seed set.
 * @param usage what --help prints
 * @param numbers name: [least, default] of each option that takes a whole number
 * @param rates name: default of each option that takes a number above 0
 * @returns the options, or null when --help was asked for and given
 */
export function readCommandLine(usage, numbers, rates = {}) {
  const flags = ['quick', 'json', 'help'];
  let values;
  try {
    const texts = ['data', 'out', 'threads', ...Object.keys(numbers), ...Object.keys(rates)].map((name) => [
      name,
      { type: 'string' },
    ]);
    const options = Object.fromEntries([...texts, ...flags.map((name) => [name, { type: 'boolean', default: false }])]);
    ({ values } = parseArgs({ options }));
  } catch (error) {
    throw new UsageError(error.message.split('. ')[0]);
  }
  if (values.help) {
    console.log(usage);
    return null;
  }
  for (const [name, [least, fallback]] of Object.entries({ ...numbers, threads: [1, undefined] })) {
    const text = values[name];
    const number = Number(text ?? fallback);
    if (text !== undefined && (!/^\d+$/.test(text) || number < least || !Number.isSafeInteger(number))) {
      throw new UsageError(`--${name} is "${text}", expected a whole number of at least ${least}`);
    }
    values[name] = text === undefined ? fallback : number;
  }
  for (const [name, fallback] of Object.entries(rates)) {
    const rate = Number(values[name] ?? fallback);
    if (!(rate > 0 && rate < Infinity)) throw new UsageError(`--${name} is "${values[name]}", expected a number > 0`);
    values[name] = rate;
  }
  if (values.threads !== undefined) configure({ threads: values.threads });
  seed(values.seed);
  return values;
}

/** Runs an example: errors are one line, Ctrl-C ends the training in flight, which is then measured. */
export async function main(script, body) {
  const controller = new AbortController();
  process.on('SIGINT', () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort();
    console.error('\nstopping after the steps in flight; Ctrl-C again exits at once');
  });
  try {
    await body(controller.signal);
    if (controller.signal.aborted) process.exitCode = 130; // as a shell expects after Ctrl-C
  } catch (error) {
    const debug = process.env.NEURITE_DEBUG !== undefined && process.env.NEURITE_DEBUG !== '';
    console.error(debug ? error : `error: ${error instanceof Error ? error.message : error}`);
    if (error instanceof UsageError) console.error(`node examples/${script} --help lists the options`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
