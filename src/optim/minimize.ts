import { DataError, type Differentiable, OptionError, type Tensor } from '../core.js';
import { checkOptions } from '../options.js';
import { strongWolfe, type Trial } from './line-search.js';
import { type Objective, objectiveOfModel, objectiveOfTensors, type Unknowns } from './objective.js';
import { checkRange } from './options.js';
import { dot, greatest, plus, scaled, solveShifted, type Vector } from './vectors.js';

/** Names of the full-batch methods. */
export type MinimizeMethod = 'lbfgs' | 'cg' | 'newton';

/** One step of {@link minimize}. */
export interface MinimizeStep {
  /** Counts from 1. */
  readonly iteration: number;
  readonly value: number;
  /** Greatest absolute element of the gradient. */
  readonly gradientNorm: number;
  /** The unknowns, flat and in order. */
  readonly x: Float64Array;
}

export interface MinimizeOptions {
  /** 'lbfgs' (default), 'cg' (nonlinear conjugate gradient) or 'newton' (for small problems: n products with the Hessian a step). */
  readonly method?: MinimizeMethod;
  /** Most steps, a whole number >= 1 (default 100). */
  readonly maxIterations?: number;
  /** Done when no element of the gradient is above it, >= 0 (default 1e-5). */
  readonly tolerance?: number;
  /** Steps L-BFGS remembers, a whole number >= 1 (default 10). */
  readonly historySize?: number;
  /** How CG mixes the last direction in (default 'polakRibiere', which restarts by itself). */
  readonly beta?: 'polakRibiere' | 'fletcherReeves';
  /** Added by Newton to the diagonal of the Hessian, >= 0 (default 0; raised, with a warning, where it is not positive definite). */
  readonly damping?: number;
  /** Called after every step. */
  readonly onStep?: (step: MinimizeStep) => void;
}

export interface MinimizeResult {
  /** Value at the best point. */
  readonly value: number;
  /** Greatest absolute element of the gradient there. */
  readonly gradientNorm: number;
  readonly iterations: number;
  /** Evaluations of the function with its gradient. */
  readonly evaluations: number;
  /** Whether the gradient is within `tolerance`. */
  readonly success: boolean;
  /** Why it ended, and what had to be done on the way. */
  readonly message: string;
}

/**
 * Minimises a deterministic function of all data with curvature: L-BFGS, conjugate gradient or damped Newton, each with a line
 * search for the strong Wolfe conditions.
 *
 * - 'lbfgs': d = −H·g, H the inverse Hessian that the last `historySize` steps s and changes of gradient y give.
 * - 'cg': d = −g + β·d, Fletcher–Reeves β = g·g / g₀·g₀, Polak–Ribière β = max(0, g·(g − g₀) / g₀·g₀).
 * - 'newton': (H + μ·I)·d = −g.
 *
 * Where a Hessian is singular or not positive definite, Newton raises μ until it is, and says so in `message` and in a warning.
 * Where a line search fails, the method starts again along −g; when that fails too, it ends with `success: false` and a warning.
 *
 * @param fn scalar of the unknowns, made of ops, the same at every call (no dropout, no batches).
 * @param x0 where to start: a tensor, or arrays and objects of them, all float32 or all float64; not changed.
 * @param options method and when to stop.
 * @returns the unknowns at the best point, in the structure of x0, and how it went.
 * @throws OptionError for options; DataError when value or gradient at x0 is not finite; GradError, DTypeError for unknowns.
 * @example
 * const rosenbrock = (p: Tensor) => {
 *   const [x, y] = [p.slice([{ end: 1 }]), p.slice([{ start: 1 }])];
 *   return x.sub(1).square().add(y.sub(x.square()).square().mul(100)).sum();
 * };
 * const { x, iterations } = await optim.minimize(rosenbrock, tensor(Float64Array.of(-1.2, 1)));
 * @see Nocedal and Wright (2006), Numerical optimization, chapters 3, 5 to 7; SciPy, scipy.optimize.minimize; PyTorch,
 *   torch.optim.LBFGS.
 */
export function minimize<X extends Unknowns>(
  fn: (x: X) => Tensor,
  x0: X,
  options?: MinimizeOptions,
): Promise<MinimizeResult & { readonly x: X }>;
/**
 * The same for the trainable parameters of a model, which are left at the best point.
 * @param model whose parameters are the unknowns, all of one dtype.
 * @param fn the loss over all data.
 * @example await optim.minimize(model, () => losses.mse(model.forward(x), y), { method: 'lbfgs' });
 */
export function minimize(model: Differentiable, fn: () => Tensor, options?: MinimizeOptions): Promise<MinimizeResult>;
export async function minimize(
  first: Differentiable | ((x: Unknowns) => Tensor),
  second: Unknowns | (() => Tensor),
  options: MinimizeOptions = {},
): Promise<MinimizeResult> {
  const settings = checked(options);
  if (typeof first === 'function') {
    const { objective, unflatten } = await objectiveOfTensors('minimize', first, second as Unknowns);
    const { x, ...result } = await run(objective, settings);
    return Object.assign(result, { x: unflatten(x) });
  }
  const { objective, restore } = await objectiveOfModel('minimize', first, second as () => Tensor);
  let best = objective.start;
  try {
    const { x, ...result } = await run(objective, settings);
    best = x;
    return result;
  } finally {
    await restore(best);
  }
}

type Settings = Required<Omit<MinimizeOptions, 'onStep'>> & Pick<MinimizeOptions, 'onStep'>;

function checked(options: MinimizeOptions): Settings {
  const known = ['method', 'maxIterations', 'tolerance', 'historySize', 'beta', 'damping', 'onStep'];
  checkOptions('minimize', options, known);
  const { method = 'lbfgs', maxIterations = 100, tolerance = 1e-5, historySize = 10, damping = 0 } = options;
  const { beta = 'polakRibiere', onStep } = options;
  if (!Object.hasOwn(DIRECTIONS, method)) {
    throw new OptionError(
      `minimize: method is ${String(method)}, expected one of ${Object.keys(DIRECTIONS).join(', ')}`,
    );
  }
  for (const [what, count] of Object.entries({ maxIterations, historySize })) {
    if (!(Number.isSafeInteger(count) && count >= 1)) {
      throw new OptionError(`minimize: ${what} is ${String(count)}, expected a whole number >= 1`);
    }
  }
  checkRange('minimize', 'tolerance', tolerance, 0);
  checkRange('minimize', 'damping', damping, 0);
  if (beta !== 'polakRibiere' && beta !== 'fletcherReeves') {
    throw new OptionError(`minimize: beta is ${String(beta)}, expected 'polakRibiere' or 'fletcherReeves'`);
  }
  const rest = onStep === undefined ? {} : { onStep };
  return { method, maxIterations, tolerance, historySize, beta, damping, ...rest };
}

interface Point {
  readonly x: Vector;
  readonly value: number;
  readonly gradient: Vector;
}

/** Proposes directions; told of every step taken. */
interface Direction {
  /** The next direction and the step to try first. */
  next(p: Point): Promise<{ readonly d: Vector; readonly first: number }>;
  taken(from: Point, to: Point, d: Vector): void;
  /** Forgets what it learned; the next direction is −g. */
  reset(): void;
  /** Curvature condition of the line search. */
  readonly c2: number;
  /** What had to be done to get a direction, '' for nothing. */
  readonly note: string;
}

/** A cautious first step along −g. */
const firstStep = (g: Vector): number => Math.min(1, 1 / g.reduce((s, x) => s + Math.abs(x), 0));

function lbfgs({ historySize }: Settings): Direction {
  const pairs: { s: Vector; y: Vector; rho: number }[] = [];
  return {
    c2: 0.9,
    note: '',
    reset: () => {
      pairs.length = 0;
    },
    async next({ gradient }) {
      if (pairs.length === 0) return { d: scaled(-1, gradient), first: firstStep(gradient) };
      const parts: number[] = [];
      let q = scaled(-1, gradient);
      for (let i = pairs.length - 1; i >= 0; i--) {
        const { s, y, rho } = pairs[i];
        parts[i] = dot(s, q) * rho;
        q = plus(q, -parts[i], y);
      }
      const { y, rho } = pairs[pairs.length - 1];
      let d = scaled(1 / (rho * dot(y, y)), q);
      for (const [i, p] of pairs.entries()) d = plus(d, parts[i] - dot(p.y, d) * p.rho, p.s);
      return { d, first: 1 };
    },
    taken(from, to) {
      const [s, y] = [plus(to.x, -1, from.x), plus(to.gradient, -1, from.gradient)];
      const product = dot(y, s);
      if (!(product > 1e-10 * Math.sqrt(dot(s, s) * dot(y, y)))) return; // no curvature to learn from
      if (pairs.length === historySize) pairs.shift();
      pairs.push({ s, y, rho: 1 / product });
    },
  };
}

function conjugate({ beta }: Settings): Direction {
  let last: { readonly d: Vector; readonly gradient: Vector; readonly t: number } | null = null;
  let count = 0;
  return {
    c2: 0.1,
    note: '',
    reset: () => {
      last = null;
    },
    async next({ gradient }) {
      if (last === null || count % gradient.length === 0) {
        const first =
          last === null ? firstStep(gradient) : (last.t * dot(last.gradient, last.d)) / -dot(gradient, gradient);
        return { d: scaled(-1, gradient), first };
      }
      const below = dot(last.gradient, last.gradient);
      const change = beta === 'fletcherReeves' ? gradient : plus(gradient, -1, last.gradient);
      const d = plus(scaled(-1, gradient), Math.max(0, dot(gradient, change) / below), last.d);
      // The same first order change as by the last step.
      return { d, first: (last.t * dot(last.gradient, last.d)) / dot(gradient, d) };
    },
    taken(from, to, d) {
      count++;
      last = {
        d,
        gradient: from.gradient,
        t: Math.sqrt(dot(plus(to.x, -1, from.x), plus(to.x, -1, from.x)) / dot(d, d)),
      };
    },
  };
}

function newton({ damping }: Settings, objective: Objective): Direction {
  let note = '';
  let steepest = false;
  return {
    c2: 0.9,
    get note() {
      return note;
    },
    reset: () => {
      steepest = true;
    },
    async next({ x, gradient }) {
      if (steepest) {
        steepest = false;
        return { d: scaled(-1, gradient), first: firstStep(gradient) };
      }
      const n = x.length;
      const h = new Float64Array(n * n);
      for (let i = 0; i < n; i++) {
        const unit = new Float64Array(n);
        unit[i] = 1;
        h.set(await objective.hessianProduct(x, unit), i * n);
      }
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < i; j++) h[i * n + j] = h[j * n + i] = (h[i * n + j] + h[j * n + i]) / 2;
      }
      const size = greatest(h);
      if (!Number.isFinite(size)) throw new DataError(`minimize: the Hessian has an element that is ${size}`);
      for (let shift = damping; ; shift = Math.max(10 * shift, 1e-3 * (size || 1))) {
        const d = solveShifted(h, shift, scaled(-1, gradient));
        if (d === null) continue; // ends: a shift above n times the greatest element makes every Hessian positive definite
        if (shift > damping)
          note = `a Hessian was singular or not positive definite; ${shift} was added to its diagonal`;
        return { d, first: 1 };
      }
    },
    taken() {},
  };
}

const DIRECTIONS: Readonly<Record<MinimizeMethod, (settings: Settings, objective: Objective) => Direction>> = {
  lbfgs,
  cg: conjugate,
  newton,
};

async function run(objective: Objective, settings: Settings): Promise<MinimizeResult & { readonly x: Vector }> {
  const { method, maxIterations, tolerance, onStep } = settings;
  const direction = DIRECTIONS[method](settings, objective);
  let evaluations = 0;
  const pointAt = async (x: Vector): Promise<Point> => {
    evaluations++;
    return { x, ...(await objective.evaluate(x)) };
  };
  let p = await pointAt(objective.start);
  if (!Number.isFinite(p.value) || !Number.isFinite(greatest(p.gradient))) {
    throw new DataError(`minimize: got value ${p.value} and gradient up to ${greatest(p.gradient)} at the start`);
  }
  const end = (success: boolean, iterations: number, why: string) => {
    const notes = [why, direction.note].filter((s) => s !== '').join('; ');
    if (!success || direction.note !== '') process.emitWarning(`minimize (${method}): ${notes}`, 'NeuriteWarning');
    const { x, value, gradient } = p;
    return { x, value, gradientNorm: greatest(gradient), iterations, evaluations, success, message: notes };
  };
  let restarted = false;
  for (let iteration = 1; iteration <= maxIterations; iteration++) {
    if (greatest(p.gradient) <= tolerance) return end(true, iteration - 1, 'the gradient is within tolerance');
    let { d, first } = await direction.next(p);
    if (!(dot(d, p.gradient) < 0)) {
      direction.reset();
      ({ d, first } = await direction.next(p));
    }
    const found = await search(pointAt, p, d, first, direction.c2);
    if (found === null) {
      if (restarted)
        return end(false, iteration - 1, `no lower value was found along −g after ${evaluations} evaluations`);
      direction.reset();
      restarted = true;
      iteration--;
      continue;
    }
    restarted = false;
    direction.taken(p, found, d);
    p = found;
    onStep?.({ iteration, value: p.value, gradientNorm: greatest(p.gradient), x: p.x.slice() });
  }
  if (greatest(p.gradient) <= tolerance) return end(true, maxIterations, 'the gradient is within tolerance');
  return end(false, maxIterations, `${maxIterations} iterations were not enough`);
}

/** A lower point on the line x + t·d, null when there is none. */
async function search(
  pointAt: (x: Vector) => Promise<Point>,
  p: Point,
  d: Vector,
  first: number,
  c2: number,
): Promise<Point | null> {
  const points = new Map<Trial, Point>();
  const at = async (t: number): Promise<Trial> => {
    const q = await pointAt(plus(p.x, t, d));
    const slope = dot(q.gradient, d);
    const finite = Number.isFinite(q.value) && Number.isFinite(slope);
    const trial = { t, value: finite ? q.value : Infinity, gradient: q.gradient, slope: finite ? slope : Infinity };
    points.set(trial, q);
    return trial;
  };
  const start: Trial = { t: 0, value: p.value, gradient: p.gradient, slope: dot(p.gradient, d) };
  const { best } = await strongWolfe(at, start, first, c2, 1e-9 / greatest(d));
  const q = points.get(best);
  return q !== undefined && q.value < p.value ? q : null;
}
