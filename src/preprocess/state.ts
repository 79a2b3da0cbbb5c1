import { FormatError, type JsonValue } from '../core.js';
import { shown } from '../options.js';

export type Json = JsonValue;

/** A fitted transformer as JSON: plain numbers, strings and lists, exact in float64. */
export interface TransformerState {
  /** Name of the class. */
  readonly type: string;
  readonly version: 1;
  readonly [key: string]: Json;
}

/** Reads fields of a state and says which one is wrong. */
export class StateReader {
  readonly #where: string;
  readonly #state: Readonly<Record<string, Json>>;

  constructor(type: string, state: unknown) {
    this.#where = `${type}.fromJSON`;
    if (typeof state !== 'object' || state === null || Array.isArray(state)) {
      throw new FormatError(`${this.#where}: got ${shown(state)}, expected what toJSON gave`);
    }
    this.#state = state as Readonly<Record<string, Json>>;
    if (this.#state['type'] !== type) this.fail('type', `"${type}"`);
    if (this.#state['version'] !== 1) this.fail('version', '1; update neurite to read it');
  }

  /** The field as it is. */
  raw(key: string): Json {
    return Object.hasOwn(this.#state, key) ? this.#state[key] : null;
  }

  has(key: string): boolean {
    return this.raw(key) !== null;
  }

  number(key: string): number {
    const value = this.raw(key);
    return typeof value === 'number' && Number.isFinite(value) ? value : this.fail(key, 'a finite number');
  }

  /** Finite numbers, `length` of them when given. */
  numbers(key: string, length?: number): Float64Array {
    const value = this.raw(key);
    const right =
      Array.isArray(value) &&
      (length === undefined ? value.length > 0 : value.length === length) &&
      value.every((v) => typeof v === 'number' && Number.isFinite(v));
    return right
      ? Float64Array.from(value as number[])
      : this.fail(key, `${length === undefined ? 'finite' : `${length} finite`} numbers`);
  }

  list(key: string): readonly Json[] {
    const value = this.raw(key);
    return Array.isArray(value) ? value : this.fail(key, 'a list');
  }

  options(): Readonly<Record<string, Json>> {
    const value = this.raw('options');
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, Json>>)
      : this.fail('options', 'an object');
  }

  fail(key: string, expected: string): never {
    const got = JSON.stringify(this.raw(key)) ?? 'nothing';
    throw new FormatError(`${this.#where}: "${key}" is ${got.slice(0, 60)}, expected ${expected}`);
  }
}
