import { OptionError } from './errors.js';

/** What JSON can hold: the state of a run, the configuration of a layer. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/**
 * JSON of `value`, exact: NaN, ±Infinity and −0, which JSON lacks, become `{"$number":"NaN"}`.
 * @param where names `value` in messages.
 * @throws OptionError naming the place of anything that is no JSON value: undefined, a class instance, a cycle.
 */
export function stringifyExact(where: string, value: JsonValue): string {
  return JSON.stringify(toPlain(where, value, 0));
}

/** The value that {@link stringifyExact} wrote. @throws SyntaxError for other text. */
export function parseExact(text: string): JsonValue {
  return JSON.parse(text, (_, value: unknown) => {
    if (!isSpecial(value)) return value;
    const number = SPECIAL.get(value[KEY]);
    if (number === undefined) throw new SyntaxError(`${KEY} is ${JSON.stringify(value[KEY])}`);
    return number;
  }) as JsonValue;
}

const KEY = '$number';
const SPECIAL: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
  ['-0', -0],
]);
const MAX_DEPTH = 500;

function isSpecial(value: unknown): value is { readonly [KEY]: unknown } {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, KEY);
}

function toPlain(where: string, value: unknown, depth: number): unknown {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') {
    return Number.isFinite(value) && !Object.is(value, -0)
      ? value
      : { [KEY]: Object.is(value, -0) ? '-0' : String(value) };
  }
  if (depth > MAX_DEPTH) throw new OptionError(`${where}: nested more than ${MAX_DEPTH} deep, or a cycle`);
  if (Array.isArray(value)) return value.map((v, i) => toPlain(`${where}[${i}]`, v, depth + 1));
  if (typeof value === 'object') {
    const proto: unknown = Object.getPrototypeOf(value);
    if (proto === Object.prototype || proto === null) {
      if (Object.hasOwn(value, KEY)) throw new OptionError(`${where}: the key "${KEY}" is reserved`);
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, toPlain(`${where}.${k}`, v, depth + 1)]));
    }
  }
  const got = typeof value === 'object' ? `an instance of ${value.constructor.name}` : typeof value;
  throw new OptionError(`${where}: got ${got}, expected null, booleans, numbers, strings, arrays and plain objects`);
}
