/** A point on the line x + t·d: value, gradient and slope gᵀd there. */
export interface Trial {
  readonly t: number;
  readonly value: number;
  readonly gradient: Float64Array;
  readonly slope: number;
}

export interface LineSearch {
  /** The best point found, which may be the start. */
  readonly best: Trial;
  /** Whether it meets both Wolfe conditions. */
  readonly wolfe: boolean;
}

const C1 = 1e-4;
const TRIALS = 25;

/**
 * A step t with f(t) <= f(0) + c₁·t·f′(0) and |f′(t)| <= c₂·|f′(0)|: steps grow until an interval holds such a point, which cubic
 * interpolation then narrows.
 * @param at evaluates a point of the line; a value that is not finite counts as too far
 * @param start the point t = 0, with a slope below 0
 * @param first the first step tried
 * @param c2 in (1e-4, 1)
 * @param tolerance length of the interval, in t, at which to give up
 * @see Nocedal and Wright (2006), Numerical optimization, algorithms 3.5 and 3.6; PyTorch, torch.optim.LBFGS, whose choices of
 *   trial points these are.
 */
export async function strongWolfe(
  at: (t: number) => Promise<Trial>,
  start: Trial,
  first: number,
  c2: number,
  tolerance: number,
): Promise<LineSearch> {
  const { value: f0, slope: slope0 } = start;
  const low = (p: Trial) => p.value <= f0 + C1 * p.t * slope0;
  const flat = (p: Trial) => Math.abs(p.slope) <= -c2 * slope0;
  let trials = 1;
  let previous = start;
  let current = await at(first);
  for (; ; trials++) {
    if (!low(current) || (trials > 2 && current.value >= previous.value)) break;
    if (flat(current)) return { best: current, wolfe: true };
    if (current.slope >= 0) break;
    if (trials >= TRIALS) return { best: current, wolfe: false };
    const next = cubicMinimum(previous, current, current.t + 0.01 * (current.t - previous.t), 10 * current.t);
    previous = current;
    current = await at(next);
  }
  // [lowest, other] holds a point that meets both conditions.
  let [lowest, other] = previous.value <= current.value ? [previous, current] : [current, previous];
  let stalled = false;
  for (; trials < TRIALS && Math.abs(lowest.t - other.t) >= tolerance; trials++) {
    const [left, right] = [Math.min(lowest.t, other.t), Math.max(lowest.t, other.t)];
    const margin = 0.1 * (right - left);
    let t = cubicMinimum(lowest, other, left, right);
    if (Math.min(right - t, t - left) >= margin) {
      stalled = false;
    } else if (stalled || t >= right || t <= left) {
      t = right - t < t - left ? right - margin : left + margin;
      stalled = false;
    } else {
      stalled = true;
    }
    const trial = await at(t);
    if (!low(trial) || trial.value >= lowest.value) {
      other = trial;
      if (other.value < lowest.value) [lowest, other] = [other, lowest];
      continue;
    }
    if (flat(trial)) return { best: trial, wolfe: true };
    if (trial.slope * (other.t - lowest.t) >= 0) other = lowest;
    lowest = trial;
  }
  return { best: lowest, wolfe: false };
}

/** Where the cubic through both points with their slopes is least within [min, max]; the middle when it has no minimum. */
function cubicMinimum(a: Trial, b: Trial, min: number, max: number): number {
  const [p, q] = a.t <= b.t ? [a, b] : [b, a];
  const d1 = p.slope + q.slope - (3 * (p.value - q.value)) / (p.t - q.t);
  const square = d1 * d1 - p.slope * q.slope;
  if (!(square >= 0 && square < Infinity)) return (min + max) / 2;
  const d2 = Math.sqrt(square);
  const t = q.t - (q.t - p.t) * ((q.slope + d2 - d1) / (q.slope - p.slope + 2 * d2));
  return Number.isFinite(t) ? Math.min(Math.max(t, min), max) : (min + max) / 2;
}
