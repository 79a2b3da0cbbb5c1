import { didYouMean, OptionError } from './errors.js';

/** Options of one type wherever they occur: {@link checkOptions} looks at them for all who call it. */
const KINDS = new Map([
  ...kind(
    'flag',
    `affine alignCorners allowEmpty annotate batchNorm ceilMode centered compress constants countIncludePad dashed decoupled
     decoupledWeightDecay density descending dropFirst dropLast even fromLogits full half image keepDims largest log logInput
     logTargets markers maximize nesterov normalize print program quotes restoreBest reverse shuffle squared straightThrough strict
     swap threePhase trackRunningStats trans transA transB unitDiagonal upper whiten wholeX`,
  ),
  ...kind('text', 'background dir directory monitor name'),
  ...kind('function', 'collate onDiagnosis onEpoch onProgress onStep where'),
]);

function kind<K extends string>(name: K, options: string): [string, K][] {
  return options.split(/\s+/).map((option) => [option, name]);
}

/** Throws unless every key of `given` is one of `known`, so that a misspelt option is never ignored. */
export function checkOptions(where: string, given: object, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw notOptions(where, given, known);
  for (const key of Object.keys(given)) {
    if (!known.includes(key)) {
      // A tensor or a model in the place of the options, not a misspelt one.
      const kind = Object.getPrototypeOf(given);
      if (kind !== Object.prototype && kind !== null) throw notOptions(where, given, known);
      throw new OptionError(
        `${where}: unknown option "${key}", expected ${known.join(', ')}.${didYouMean(key, known)}`,
      );
    }
    const type = KINDS.get(key);
    if (type === undefined) continue;
    const value: unknown = given[key as keyof typeof given];
    if (value === undefined) continue;
    if (type === 'flag') checkFlag(where, key, value);
    else if (type === 'function') checkFunction(where, key, value);
    else if (typeof value !== 'string') throw new OptionError(`${where}: ${key} is ${shown(value)}, expected text`);
  }
}

function notOptions(where: string, given: unknown, known: readonly string[]): OptionError {
  return new OptionError(`${where}: got ${shown(given)}, expected an object of options: ${known.join(', ')}`);
}

/** Throws unless `given` is an object; `what` says of what. */
export function checkObject(where: string, given: unknown, what = 'options'): void {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return;
  throw new OptionError(`${where}: got ${shown(given)}, expected an object of ${what}`);
}

/** A value that was not expected, for messages: strings in quotes, classes and objects by name. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'function') return `the function or class ${value.name || '(anonymous)'}`;
  if (Array.isArray(value)) {
    return value.length > 8 || value.some(Array.isArray) ? `an array of ${value.length}` : `[${value.map(shown)}]`;
  }
  if (typeof value === 'object' && value !== null) return `a ${value.constructor?.name ?? 'object'}`;
  return String(value);
}

/** Throws unless `value` can be called. */
export function checkFunction(where: string, what: string, value: unknown): void {
  if (typeof value !== 'function') throw new OptionError(`${where}: ${what} is ${shown(value)}, expected a function`);
}

/** Throws unless `value` is an array; `of` says of what. */
export function checkList(where: string, what: string, value: unknown, of: string): void {
  if (!Array.isArray(value)) throw new OptionError(`${where}: ${what} is ${shown(value)}, expected an array of ${of}`);
}

/** Throws unless `value` is an array or a typed array; `of` says of what. */
export function checkArray(where: string, what: string, value: unknown, of = 'numbers'): void {
  if (!Array.isArray(value) && !(ArrayBuffer.isView(value) && !(value instanceof DataView))) {
    throw new OptionError(`${where}: ${what} is ${shown(value)}, expected an array of ${of}`);
  }
}

/** Whether `for await` can go over it; text is none. */
export function isIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
}

/** Returns `value` when it is two finite numbers, the first not above the second. */
export function rangeOfTwo(where: string, value: unknown): readonly [number, number] {
  if (Array.isArray(value) && value.length === 2 && value.every(Number.isFinite) && value[0] <= value[1]) {
    return [value[0], value[1]];
  }
  throw new OptionError(`${where} is ${shown(value)}, expected [low, high], two finite numbers`);
}

/** Throws unless `value` is true or false. */
export function checkFlag(where: string, what: string, value: unknown): void {
  if (typeof value !== 'boolean') throw new OptionError(`${where}: ${what} is ${shown(value)}, expected true or false`);
}

/** Throws unless `value` is the path of a file or folder: text that is not empty. */
export function checkPath(where: string, what: string, value: unknown): void {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) {
    throw new OptionError(`${where}: ${what} is ${shown(value)}, expected a path`);
  }
}

/** Returns `value` when it is a whole number in [low, high]. */
export function wholeNumber(where: string, value: unknown, low: number, high = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return value;
  const range = high === Number.MAX_SAFE_INTEGER ? `>= ${low}` : `in [${low}, ${high}]`;
  throw new OptionError(`${where} is ${shown(value)}, expected a whole number ${range}`);
}

/** `batchSize` checked against the number of samples; undefined gives the default. */
export function checkBatchSize(where: string, batchSize: number | undefined, samples: number): number {
  if (batchSize === undefined) return Math.min(32, samples);
  const size = wholeNumber(`${where}: batchSize`, batchSize, 1);
  if (size > samples) {
    throw new OptionError(
      `${where}: batchSize ${size} is larger than the data set of ${samples} samples; use ${samples} or less`,
    );
  }
  return size;
}

/** A size for all axes of an image, or one for each. */
export type Sizes = number | readonly number[];

/** The `dims` whole numbers >= low that `given` stands for. */
export function axisSizes(where: string, what: string, given: Sizes, dims: number, low = 1): number[] {
  const list: readonly number[] = typeof given === 'number' ? Array(dims).fill(given) : given;
  if (Array.isArray(list) && list.length === dims && list.every((n) => Number.isSafeInteger(n) && n >= low)) {
    return [...list];
  }
  throw new OptionError(`${where}: ${what} is ${shown(given)}, expected a whole number >= ${low}, or ${dims} of them`);
}
