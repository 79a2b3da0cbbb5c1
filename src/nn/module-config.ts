import { FormatError, type JsonValue, OptionError } from '../core.js';
import * as exported from './index.js';
import { type AnyModule, type ConfigValue, Module } from './module.js';
import { parametrizationsOf, parametrize, spectralNorm, weightNorm } from './parametrize.js';
import { Pruned } from './prune.js';

/** Constructor of a module, whatever it takes. */
export type ModuleClass = new (...args: never[]) => AnyModule;
/** Classes of a program's own layers by the name that files know them by. */
export type Registry = Readonly<Record<string, ModuleClass>>;

/** In place of a module in its parent's arguments: its class and arguments, or the number of one met before. */
const KEY = '$module';
const MAX_DEPTH = 200;

/** The layers of this room by name. Asked for when all modules are loaded, since they import each other. */
let layers: ReadonlyMap<string, ModuleClass> | null = null;

export function layerClasses(): ReadonlyMap<string, ModuleClass> {
  if (layers === null) {
    const found = new Map<string, ModuleClass>();
    for (const [name, value] of Object.entries(exported as Readonly<Record<string, unknown>>)) {
      if (typeof value === 'function' && value.prototype instanceof Module) found.set(name, value as ModuleClass);
    }
    layers = found;
  }
  return layers;
}

/** Puts back what {@link Parametrization.config} described. */
function reparametrize(fail: (what: string) => never, module: AnyModule, name: string, config: JsonValue): void {
  const [kind, options] = Array.isArray(config) ? config : [];
  const given = { ...(options as Readonly<Record<string, JsonValue>>), name };
  if (kind === 'weightNorm') weightNorm(module, given);
  else if (kind === 'spectralNorm') spectralNorm(module, given);
  else if (kind === 'prune') parametrize('prune', module, name, (w) => new Pruned(w));
  else fail(`nobody knows the parametrization ${JSON.stringify(config)} of "${name}"`);
}

/**
 * A module and all in it as data: class names and arguments.
 * @returns the data, and the classes it names, from which {@link decodeModule} makes a module like it.
 * @throws OptionError naming a module whose class has no name of its own, or arguments that are no data.
 */
export function encodeModule(
  model: AnyModule,
  registry: Registry = {},
): { readonly config: JsonValue; readonly classes: Map<string, ModuleClass> } {
  const names = new Map([...layerClasses(), ...Object.entries(registry)].map(([name, c]) => [c, name]));
  const classes = new Map<string, ModuleClass>();
  const met = new Map<AnyModule, number>();

  const encode = (where: string, value: ConfigValue, depth: number): JsonValue => {
    if (depth > MAX_DEPTH) throw new OptionError(`${where}: nested more than ${MAX_DEPTH} deep, or a cycle`);
    if (value instanceof Module) return { [KEY]: encodeOne(value as AnyModule, depth) };
    if (Array.isArray(value)) return value.map((v: ConfigValue, i) => encode(`${where}[${i}]`, v, depth + 1));
    if (typeof value !== 'object' || value === null) return value as JsonValue;
    if (Object.hasOwn(value, KEY)) throw new OptionError(`${where}: the key "${KEY}" is reserved`);
    const entries = Object.entries(value as Readonly<Record<string, ConfigValue>>);
    return Object.fromEntries(
      entries.filter(([, v]) => v !== undefined).map(([k, v]) => [k, encode(`${where}.${k}`, v, depth + 1)]),
    );
  };

  const encodeOne = (module: AnyModule, depth: number): JsonValue => {
    const known = met.get(module);
    if (known !== undefined) return known;
    met.set(module, met.size);
    const made = module.constructor as ModuleClass;
    const type = names.get(made) ?? made.name;
    if (type === '' || (classes.get(type) ?? made) !== made || (layerClasses().get(type) ?? made) !== made) {
      const problem = type === '' ? 'its class has no name' : `another class is called ${type}, too`;
      throw new OptionError(`saveModel: ${module.label}: ${problem}; pass registry: { AnotherName: TheClass }`);
    }
    classes.set(type, made);
    const args = encode(`${module.label}.config()`, module.config(), depth + 1);
    const extra = [...parametrizationsOf(module)].map(([name, p]) => [name, p.config() as JsonValue] as const);
    return extra.length === 0 ? { type, args } : { type, args, parametrizations: Object.fromEntries(extra) };
  };

  return { config: encodeOne(model, 0), classes };
}

/**
 * The module that {@link encodeModule} described; classes come from `classes` only, and nothing in the data is code.
 * @throws FormatError naming the class that is unknown or refuses its arguments.
 */
export function decodeModule(where: string, config: JsonValue, classes: ReadonlyMap<string, ModuleClass>): AnyModule {
  const made: (AnyModule | null)[] = [];
  const fail = (what: string): never => {
    throw new FormatError(`${where}: ${what}`);
  };

  const decode = (value: JsonValue, depth: number): ConfigValue => {
    if (depth > MAX_DEPTH) return fail(`the configuration is nested more than ${MAX_DEPTH} deep`);
    if (Array.isArray(value)) return value.map((v: JsonValue) => decode(v, depth + 1));
    if (typeof value !== 'object' || value === null) return value;
    const record = value as Readonly<Record<string, JsonValue>>;
    if (Object.hasOwn(record, KEY)) return decodeOne(record[KEY], depth);
    return Object.fromEntries(Object.entries(record).map(([k, v]) => [k, decode(v, depth + 1)]));
  };

  const decodeOne = (value: JsonValue, depth: number): AnyModule => {
    if (typeof value === 'number') return made[value] ?? fail(`module ${value} is used before it is described`);
    const { type, args, parametrizations } = (typeof value === 'object' && value !== null ? value : {}) as {
      readonly [key: string]: JsonValue | undefined;
    };
    if (typeof type !== 'string' || !Array.isArray(args)) return fail('a module needs "type" and "args"');
    const found = classes.get(type);
    if (found === undefined) {
      return fail(`nobody knows the layer ${JSON.stringify(type)}; pass its class: registry: { ${type}: … }`);
    }
    const index = made.length;
    made.push(null);
    const decoded = args.map((a: JsonValue) => decode(a, depth + 1)) as never[];
    try {
      const module = new found(...decoded);
      for (const [name, config] of Object.entries(parametrizations ?? {})) reparametrize(fail, module, name, config);
      made[index] = module;
      return module;
    } catch (error) {
      if (error instanceof FormatError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      return fail(`${type} refuses its arguments: ${reason}`);
    }
  };

  return decodeOne(config, 0);
}
