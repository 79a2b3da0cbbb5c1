import { OptionError, type Tensor } from '../core.js';
import { shown } from '../options.js';
import { checkTensor } from './describe.js';
import { Module, type ModuleConfig } from './module.js';

/**
 * Layers applied one after the other.
 *
 * Layers are own fields named by their index, so parameters are called `0.weight`, `2.bias` as in PyTorch, and
 * `model[2]` reads or replaces a layer.
 *
 * @throws OptionError when something that is not a module is given.
 * @example
 * const model = new nn.Sequential(new nn.Linear(784, 128), new nn.ReLU(), new nn.Linear(128, 10));
 * model.forward(zeros([64, 784])).shape; // [64, 10]
 * model[2] = new nn.Linear(128, 5);      // another head
 */
export class Sequential extends Module implements Iterable<Module> {
  [index: number]: Module;

  constructor(...layers: Module[]) {
    super();
    for (const [i, layer] of layers.entries()) this[i] = checkLayer(layer, i);
    this.modules(); // names the layers, so that errors before the first walk know them
  }

  /** Number of layers. */
  get length(): number {
    let n = 0;
    while (Object.hasOwn(this, n)) n++;
    return n;
  }

  /** Adds a layer at the end; returns the model. */
  append(layer: Module): this {
    const index = this.length;
    this[index] = checkLayer(layer, index);
    this.modules();
    return this;
  }

  *[Symbol.iterator](): IterableIterator<Module> {
    for (let i = 0; Object.hasOwn(this, i); i++) yield this[i];
  }

  override config(): ModuleConfig {
    return [...this];
  }

  /** x through every layer in order; without layers, x itself. */
  forward(x: Tensor): Tensor {
    checkTensor(this.label, x);
    for (const layer of this) x = layer.forward(x);
    return x;
  }
}

function checkLayer(layer: unknown, index: number): Module {
  if (layer instanceof Module) return layer as Module;
  const given = Array.isArray(layer) ? 'an array; spread it with ...' : shown(layer);
  const hint = typeof layer === 'function' ? '; write new nn.ReLU(), with new and parentheses' : '';
  throw new OptionError(`Sequential: layer ${index} is ${given}, expected a Module${hint}`);
}
