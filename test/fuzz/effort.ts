// `npm run fuzz` sets NEURITE_FUZZ to run the same tests for longer: it multiplies the number of mutants.
const factor = Number(process.env['NEURITE_FUZZ'] ?? 1);
if (!(factor >= 1)) throw new Error(`NEURITE_FUZZ is ${process.env['NEURITE_FUZZ']}, expected a number >= 1`);

/** How many mutants to try, of a test that tries `ordinary` in the ordinary run. */
export function runs(ordinary: number): number {
  return Math.round(ordinary * factor);
}

/** Time limit of such a test, in milliseconds: generous, since a slow machine is no failure. */
export function limit(seconds: number): number {
  return seconds * 1000 * factor;
}

/** Another NEURITE_FUZZ_SEED tries other mutants; the number is printed, so that a failure can be repeated. */
export const seed = Number(process.env['NEURITE_FUZZ_SEED'] ?? 20_240_601);

/** Prints what a long run did; the ordinary one is silent. */
export function report(what: string, counts: Readonly<Record<string, number>>): void {
  if (factor === 1) return;
  const figures = Object.entries(counts).map(([name, n]) => `${n.toLocaleString('en')} ${name}`);
  process.stdout.write(`fuzz: ${what} (seed ${seed}): ${figures.join(', ')}\n`);
}

/** Numbers that repeat: `below(n)` is a whole number in [0, n). */
export class Dice {
  private state: number;
  constructor(state: number) {
    this.state = state >>> 0;
  }
  below(n: number): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.state / 2 ** 32) * n);
  }
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)];
  }
}
