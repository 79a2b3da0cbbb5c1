import { OptionError, Parameter, type Shape, ShapeError } from '../core.js';
import { didYouMean } from '../errors.js';
import { checkOptions, shown } from '../options.js';
import { checkSizes, sizeOf } from '../shape.js';
import { ELU, GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh } from './activations.js';
import { checkModule } from './describe.js';
import * as init from './init.js';
import type { AnyModule, Module } from './module.js';
import {
  CELU,
  GeneralizedRectifier,
  GLU,
  HardSigmoid,
  HardTanh,
  Maxout,
  Mish,
  PReLU,
  ReLU6,
  SELU,
  Softsign,
  Step,
  SwiGLU,
} from './rectifiers.js';

/**
 * Fan-in and fan-out of a weight `[out, in, …kernel]`: inputs that one output sums over, and outputs that one input reaches.
 * @throws ShapeError for fewer than two axes.
 * @example nn.init.fansOf([128, 784]); // { fanIn: 784, fanOut: 128 }
 * @see PyTorch, torch.nn.init (fan calculation).
 */
export function fansOf(shape: Shape): { fanIn: number; fanOut: number } {
  checkSizes('init.fansOf', shape);
  if (shape.length < 2) throw new ShapeError(`init.fansOf: got [${shape}], expected two axes or more`);
  const kernel = sizeOf(shape.slice(2));
  return { fanIn: shape[1] * kernel, fanOut: shape[0] * kernel };
}

/** Activations that {@link initFor} and {@link gain} know. */
export type ActivationName = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu';

/**
 * Factor that makes up for what an activation takes from the standard deviation: 1 (linear, sigmoid), 5/3 (tanh), √2 (relu),
 * √(2 / (1 + negativeSlope²)) (leakyRelu), 3/4 (selu).
 * @param activation one of these names.
 * @param negativeSlope of leakyRelu (default 0.01).
 * @throws OptionError for another name.
 * @example nn.init.xavierNormal({ gain: nn.init.gain('tanh') });
 * @see PyTorch, torch.nn.init.calculate_gain.
 */
export function gain(activation: ActivationName, negativeSlope = 0.01): number {
  switch (activation) {
    case 'linear':
    case 'sigmoid':
      return 1;
    case 'tanh':
      return 5 / 3;
    case 'relu':
      return Math.SQRT2;
    case 'leakyRelu':
      return Math.sqrt(2 / (1 + negativeSlope ** 2));
    case 'selu':
      return 3 / 4;
    default: {
      activation satisfies never;
      const known = ['linear', 'sigmoid', 'tanh', 'relu', 'leakyRelu', 'selu'];
      throw new OptionError(
        `init.gain: got ${shown(activation)}, expected ${known.join(', ')}.${didYouMean(String(activation), known)}`,
      );
    }
  }
}

export interface InitForOptions {
  /** Activation after layers that no activation module follows, for models that call activations as functions. */
  readonly activation?: ActivationName;
  /** 'normal' (default) or 'uniform' numbers. */
  readonly distribution?: 'normal' | 'uniform';
}

/** Activation modules and the rule they ask for. Smooth rectifiers are near enough to ReLU. */
const FOLLOWERS: readonly (readonly [ActivationName, readonly (abstract new (...args: never[]) => unknown)[]])[] = [
  ['relu', [ReLU, ReLU6, ELU, CELU, GELU, SiLU, Mish, Softplus]],
  ['leakyRelu', [LeakyReLU, PReLU, GeneralizedRectifier]],
  ['selu', [SELU]],
  ['tanh', [Tanh, HardTanh, Softsign]],
  ['sigmoid', [Sigmoid, HardSigmoid, Step]],
  ['linear', [Softmax, LogSoftmax, Maxout, GLU, SwiGLU]],
];

interface Rule {
  readonly activation: ActivationName;
  readonly slope: number;
}

/**
 * Gives every weight a first value by the activation that follows its layer, and sets biases to 0: He for rectifiers (with
 * their slope), LeCun for SELU, Xavier for tanh (gain 5/3), sigmoid and linear outputs.
 *
 * "Follows" is the next activation among the model's modules, in order, before the next layer with a weight; dropout,
 * flattening and normalisation between are passed over. Layers are the modules with a `weight` of two axes or more.
 *
 * @param model any module; its weights are written by the next run.
 * @param options `activation` where none is found (default 'linear'); `distribution`, default 'normal'.
 * @returns path of each weight → the activation it was chosen for.
 * @throws OptionError for unknown options.
 * @example nn.init.initFor(model); // Map { '0.weight' => 'relu', '2.weight' => 'linear' }
 * @see Glorot and Bengio (2010); He et al. (2015); Klambauer et al. (2017).
 */
export function initFor(model: Module, options: InitForOptions = {}): Map<string, ActivationName> {
  checkModule('initFor', model);
  checkOptions('initFor', options, ['activation', 'distribution']);
  const { activation: fallback = 'linear', distribution = 'normal' } = options;
  gain(fallback);
  if (distribution !== 'normal' && distribution !== 'uniform') {
    throw new OptionError(`initFor: distribution is ${shown(distribution)}, expected 'normal' or 'uniform'`);
  }
  const modules = [...model.namedModules()];
  const chosen = new Map<string, ActivationName>();
  const seen = new Set<Parameter>();
  for (const [i, [path, module]] of modules.entries()) {
    const { weight, bias } = weightAndBias(module);
    if (weight === null || seen.has(weight)) continue; // a shared weight goes by its first layer
    seen.add(weight);
    const rule = ruleAfter(modules.slice(i + 1).map(([, m]) => m)) ?? { activation: fallback, slope: 0.01 };
    const context = { ...fansOf(weight.shape), dtype: weight.dtype };
    weight.assign(initializerOf(rule, distribution)(weight.shape, context));
    bias?.assign(init.zeros()(bias.shape, { ...context, dtype: bias.dtype }));
    chosen.set(path === '' ? 'weight' : `${path}.weight`, rule.activation);
  }
  return chosen;
}

function weightAndBias(module: AnyModule): { weight: Parameter | null; bias: Parameter | null } {
  const { weight, bias } = module as unknown as { weight?: unknown; bias?: unknown };
  const isWeight = weight instanceof Parameter && weight.shape.length >= 2;
  return { weight: isWeight ? weight : null, bias: isWeight && bias instanceof Parameter ? bias : null };
}

/** The first activation before the next layer with a weight. */
function ruleAfter(following: readonly AnyModule[]): Rule | null {
  for (const module of following) {
    if (weightAndBias(module).weight !== null) return null;
    const found = FOLLOWERS.find(([, classes]) => classes.some((c) => module instanceof c));
    if (found !== undefined) return { activation: found[0], slope: slopeOf(module) };
  }
  return null;
}

function slopeOf(module: unknown): number {
  if (module instanceof LeakyReLU) return module.negativeSlope;
  return module instanceof GeneralizedRectifier ? module.alpha : 0.25; // PReLU starts there
}

function initializerOf({ activation, slope }: Rule, distribution: 'normal' | 'uniform'): init.Initializer {
  const normal = distribution === 'normal';
  switch (activation) {
    case 'relu':
      return normal ? init.kaimingNormal() : init.kaimingUniform();
    case 'leakyRelu':
      return normal ? init.kaimingNormal({ negativeSlope: slope }) : init.kaimingUniform({ negativeSlope: slope });
    case 'selu':
      return normal ? init.lecunNormal() : init.lecunUniform();
    default:
      return normal ? init.xavierNormal({ gain: gain(activation) }) : init.xavierUniform({ gain: gain(activation) });
  }
}
