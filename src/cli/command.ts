// What a command of `neurite` is, and how its arguments are read.
import { parseArgs } from 'node:util';
import { didYouMean } from '../errors.js';
import type { JsonValue } from '../json.js';

export interface CommandOption {
  readonly type: 'string' | 'boolean';
  /** What stands for its value in the help, such as FILE. */
  readonly value?: string;
  readonly help: string;
}

/** What a command was called with. */
export interface Call {
  readonly operands: readonly string[];
  readonly options: Readonly<Record<string, string | boolean>>;
  /** Whether the terminal shows styles. */
  readonly styled: boolean;
}

export interface Outcome {
  /** What --json prints. */
  readonly json: JsonValue;
  /** What is printed otherwise; in parts when it may be long. */
  readonly text: string | AsyncIterable<string>;
  /** Default 0; 1 when what was asked about is not in order. */
  readonly exitCode?: 0 | 1;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  /** Operands as the help shows them, and how many there must be. */
  readonly operands: string;
  readonly count: number;
  readonly details: string;
  readonly options: Readonly<Record<string, CommandOption>>;
  readonly examples: readonly (readonly [command: string, what: string])[];
  /** Loads what the command needs: `build` and the help must work where the addon does not load. */
  load(): Promise<(call: Call) => Promise<Outcome>>;
}

/** A call that no command understands: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const COMMON_OPTIONS: Readonly<Record<string, CommandOption>> = {
  json: { type: 'boolean', help: 'print one JSON object instead of text' },
  help: { type: 'boolean', help: 'show this help' },
};

/**
 * Reads the arguments after a command's name.
 * @throws UsageError for an option nobody knows, one without its value or with one too many, and a wrong number of operands.
 */
export function readArguments(command: Command, args: readonly string[]): Pick<Call, 'operands' | 'options'> {
  const known = { ...command.options, ...COMMON_OPTIONS };
  const where = `neurite ${command.name}`;
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(Object.entries(known).map(([name, { type }]) => [name, { type }])),
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const operands: string[] = [];
  const options: Record<string, string | boolean> = {};
  for (const token of tokens) {
    if (token.kind === 'positional') operands.push(token.value);
    if (token.kind !== 'option') continue;
    const name = token.rawName === '-h' ? 'help' : token.name;
    const option =
      Object.hasOwn(known, name) && (token.rawName === '-h' || token.rawName.startsWith('--'))
        ? known[name]
        : undefined;
    if (option === undefined) {
      const names = Object.keys(known).map((n) => `--${n}`);
      throw new UsageError(`${where}: unknown option ${token.rawName}.${didYouMean(token.rawName, names)}`);
    }
    if (option.type === 'boolean') {
      if (token.value !== undefined) throw new UsageError(`${where}: --${name} takes no value, got '${token.value}'`);
      options[name] = true;
    } else {
      if (token.value === undefined || token.value === '') {
        throw new UsageError(`${where}: --${name} needs a value: --${name} ${option.value ?? 'VALUE'}`);
      }
      options[name] = token.value;
    }
  }
  if (options['help'] !== true && operands.length !== command.count) {
    const expected = command.count === 0 ? 'no operands' : command.operands;
    throw new UsageError(`${where}: expected ${expected}, got ${operands.length === 0 ? 'none' : operands.join(' ')}`);
  }
  return { operands, options };
}

/** A whole number >= low given as an option's value. */
export function wholeOption(where: string, value: string | boolean | undefined, low: number): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (typeof value === 'string' && /^\d+$/.test(value) && Number.isSafeInteger(number) && number >= low) return number;
  throw new UsageError(`neurite ${where} is '${String(value)}', expected a whole number >= ${low}`);
}
