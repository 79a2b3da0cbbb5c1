import {
  type Differentiable,
  flushSync,
  hostScalar,
  OptionError,
  optimizerStep,
  type Parameter,
  realize,
  State,
  stopGradient,
  Tensor,
  tensor,
} from '../core.js';
import { ShapeError } from '../errors.js';
import { checkObject, checkOptions } from '../options.js';
import { sameShape } from '../shape.js';
import { checkFlag, checkRange, checkTrainable } from './options.js';

export interface EMAOptions {
  /** Weight of the old average, β in [0, 1) (default 0.999): about the last 1 / (1 − β) updates count. */
  readonly decay?: number;
  /** Averages as if the weights before the first update did not exist (default false: the first update copies the weights). */
  readonly biasCorrection?: boolean;
}

/**
 * Exponential moving average of a model's trainable parameters; evaluate with it, train on.
 *
 * a ← a + r·(w − a), r = 1 − β and 1 at the first update; with bias correction r = (1 − β) / (1 − βᵗ), which is the average
 * m ← β·m + (1 − β)·w from zero divided by 1 − βᵗ.
 *
 * @param model whose parameters are followed.
 * @param options `decay` β, `biasCorrection`.
 * @throws OptionError for an option that is unknown or outside its range.
 * @example
 * const ema = new optim.EMA(model, { decay: 0.999 });
 * optimizer.update(model, grads);
 * ema.update(); // pending like the optimizer's; the average of the weights after the step
 * ema.swap();   // evaluate with the average …
 * ema.swap();   // … and train on
 * @see Polyak and Juditsky (1992), Acceleration of stochastic approximation by averaging; PyTorch, torch.optim.swa_utils.
 */
export class EMA {
  readonly decay: number;
  readonly biasCorrection: boolean;
  readonly #model: Differentiable;
  readonly #cells = new Map<string, { readonly owner: Parameter; readonly average: State }>();
  readonly #steps = new Map<string, State>();

  constructor(model: Differentiable, options: EMAOptions = {}) {
    checkTrainable('EMA', model);
    checkOptions('EMA', options, ['decay', 'biasCorrection']);
    const { decay = 0.999, biasCorrection = false } = options;
    checkRange('EMA', 'decay', decay, 0, 1, true);
    checkFlag('EMA', 'biasCorrection', biasCorrection);
    this.decay = decay;
    this.biasCorrection = biasCorrection;
    this.#model = model;
    this.#bind();
  }

  /** Records one step of the averages as pending writes, one native instruction a dtype; runs nothing. */
  update(): void {
    const { decay, biasCorrection } = this;
    for (const [dtype, step] of this.#bind()) {
      if (step.version > 0 && step.dirty) flushSync();
      const members = [...this.#cells.values()].filter(({ average }) => average.dtype === dtype);
      const params = members.map(({ owner, average }) => ({ w: average.read(), g: owner.read(), slots: [] }));
      const unused = hostScalar(() => 0);
      const next = optimizerStep('ema', { decay, biasCorrection }, unused, step.read(), params);
      step.assign(next.step);
      for (const [i, { average }] of members.entries()) average.assign(next.params[i].w);
    }
  }

  /** Exchanges parameters and averages; a second call undoes it. Pending like an update. */
  swap(): void {
    this.#bind();
    for (const { owner, average } of this.#cells.values()) {
      const [w, a] = [stopGradient(owner.read()), stopGradient(average.read())];
      owner.assign(a);
      average.assign(w);
    }
  }

  /** Gives the averages to `model`, by default the one that is followed. @throws OptionError when it lacks a parameter. */
  copyTo(model: Differentiable = this.#model): void {
    checkTrainable('EMA.copyTo', model);
    this.#bind();
    const target = model.trainableCells();
    for (const [path, { average }] of this.#cells) {
      const cell = target.get(path);
      if (cell === undefined) throw new OptionError(`EMA.copyTo: the model has no trainable parameter "${path}"`);
      cell.assign(stopGradient(average.read()));
    }
  }

  /** Copies of the averages at the call, `<path>`, and the counts of updates, `step.<dtype>`. */
  async stateDict(): Promise<Record<string, Tensor>> {
    const counts = [...this.#steps].map(([dtype, step]) => [`step.${dtype}`, step] as const);
    const cells = [...counts, ...[...this.#cells].map(([path, { average }]) => [path, average] as const)];
    const dict = Object.fromEntries(cells.map(([name, cell]) => [name, stopGradient(cell.read())]));
    await realize(...Object.values(dict));
    return dict;
  }

  /** Replaces the averages by those of {@link stateDict}. @throws OptionError, ShapeError, changing nothing, when they do not fit. */
  loadStateDict(dict: Readonly<Record<string, Tensor>>): void {
    checkObject('EMA.loadStateDict', dict, 'tensors, as stateDict() gives');
    this.#bind();
    const counts = [...this.#steps].map(([dtype, step]) => [`step.${dtype}`, step] as const);
    const cells = new Map([...counts, ...[...this.#cells].map(([path, { average }]) => [path, average] as const)]);
    const unknown = Object.keys(dict).filter((name) => !cells.has(name));
    if (unknown.length > 0) throw new OptionError(`EMA.loadStateDict: unknown key "${unknown[0]}"`);
    for (const [name, { shape, dtype }] of cells) {
      const value = dict[name];
      if (!(value instanceof Tensor)) throw new OptionError(`EMA.loadStateDict: the key "${name}" is missing`);
      if (!sameShape(value.shape, shape) || value.dtype !== dtype) {
        throw new ShapeError(
          `EMA.loadStateDict: "${name}" is ${value.dtype} [${value.shape}], expected ${dtype} [${shape}]`,
        );
      }
    }
    for (const [name, cell] of cells) cell.assign(stopGradient(dict[name]));
  }

  /** Makes averages for parameters that have none, a replaced layer's anew. */
  #bind(): ReadonlyMap<string, State> {
    for (const [path, owner] of this.#model.trainableCells()) {
      if (this.#cells.get(path)?.owner === owner) continue;
      this.#cells.set(path, { owner, average: new State(stopGradient(owner.read()), `ema.${path}`) });
      if (!this.#steps.has(owner.dtype)) {
        this.#steps.set(owner.dtype, new State(tensor(0, { dtype: 'int32' }), `ema.step.${owner.dtype}`));
      }
    }
    return this.#steps;
  }
}
