import {
  add,
  argmax,
  cast,
  checkFinite,
  clip,
  clipScale,
  compile,
  type Gradients,
  mul,
  State,
  type Tensor,
  valueAndGrad,
  zeros,
} from '../core.js';
import type { AnyModule } from '../nn/index.js';
import type { Optimizer } from '../optim/index.js';
import type { Rows, TensorTree } from './batch.js';
import type { Program } from './feeds.js';
import { classWeighted, forwardWithLosses, inMode, type Objective } from './objective.js';

/** What a training step is made of. */
export interface StepPlan {
  readonly model: AnyModule;
  readonly objective: Objective;
  readonly optimizer: Optimizer;
  /** Batches an update. */
  readonly accumulate: number;
  readonly clipNorm: number | null;
  readonly clipValue: number | null;
  readonly classWeights: Tensor | null;
  /** Whether targets are shares of classes, made of class numbers by mixup or cutmix: metrics get the largest share's class. */
  readonly mixed: boolean;
  /** Called after the update while the step is traced. */
  readonly afterUpdate: () => void;
  /** Rows from the arguments of the step, as the model takes them. */
  readonly rowsOf: (flat: readonly Tensor[]) => Rows;
}

/** The compiled training step: forward, gradient, update. The check of the loss comes before any write: a bad step changes nothing. */
export function trainingProgram(plan: StepPlan): Program {
  const { model, objective, optimizer, accumulate, classWeights } = plan;
  const lossAndGrad = valueAndGrad(model, (...flat: Tensor[]): [Tensor, Tensor[]] => {
    const { x, y, weight } = plan.rowsOf(flat);
    const targets = y as TensorTree;
    const weights = classWeights === null ? weight : classWeighted(objective.where, classWeights, targets, weight);
    const [outputs, added] = forwardWithLosses(model, x);
    const [loss, ...rest] = objective.lossOf(outputs, targets, weights, added);
    const labels = plan.mixed ? argmax(targets as Tensor, { axis: -1 }) : targets;
    return [loss, [...rest, ...objective.metricSums(outputs, labels)]];
  });
  const update = (grads: Gradients): void => {
    optimizer.update(model, clipped(grads, plan));
    plan.afterUpdate();
  };
  const mode = <T>(issue: () => T): T => inMode(model, true, issue);
  if (accumulate === 1) {
    const step = compile((...flat: Tensor[]): Tensor[] => {
      const [[loss, rest], grads] = lossAndGrad(...flat);
      update(grads);
      return [checkFinite(loss), ...rest];
    });
    return { step, add: null, accumulate, inMode: mode };
  }
  const sums = new Map<string, State>();
  for (const [path, { shape, dtype }] of model.trainableCells()) {
    sums.set(path, new State(zeros(shape, { dtype }), `sum of gradients of ${path}`));
  }
  /** The sum with this batch's share; the last argument of a step is its share of the group. */
  const total = (grads: Gradients, share: Tensor): Gradients =>
    Object.fromEntries(
      Object.entries(grads).map(([path, g]) => [path, add(sumOf(sums, path).read(), mul(g, cast(share, g.dtype)))]),
    );
  const batch = (flat: Tensor[]): [Tensor[], Gradients] => {
    const share = flat.pop() as Tensor;
    const [[loss, rest], grads] = lossAndGrad(...flat);
    return [[checkFinite(loss), ...rest], total(grads, share)];
  };
  const addUp = compile((...flat: Tensor[]): Tensor[] => {
    const [results, grads] = batch(flat);
    for (const [path, g] of Object.entries(grads)) sumOf(sums, path).assign(g);
    return results;
  });
  const step = compile((...flat: Tensor[]): Tensor[] => {
    const [results, grads] = batch(flat);
    for (const [path, { shape, dtype }] of Object.entries(grads)) sumOf(sums, path).assign(zeros(shape, { dtype }));
    update(grads);
    return results;
  });
  return { step, add: addUp, accumulate, inMode: mode };
}

function sumOf(sums: ReadonlyMap<string, State>, path: string): State {
  return sums.get(path) as State;
}

/** Gradients within the limits: the norm of all together first, then each element. */
function clipped(grads: Gradients, { clipNorm, clipValue }: StepPlan): Gradients {
  const list = Object.entries(grads);
  if (list.length === 0 || (clipNorm === null && clipValue === null)) return grads;
  const scale = clipNorm === null ? null : clipScale(Object.values(grads), clipNorm);
  const shape = (g: Tensor): Tensor => {
    const scaled = scale === null ? g : mul(g, cast(scale, g.dtype));
    return clipValue === null ? scaled : clip(scaled, -clipValue, clipValue);
  };
  return Object.fromEntries(list.map(([path, g]) => [path, shape(g)]));
}
