import { OptionError } from '../errors.js';
import { checkOptions, shown } from '../options.js';
import type { ActivationFigures, Measurements, ParameterFigures } from './measure.js';

export type WarningKind =
  | 'not finite'
  | 'vanishing gradients'
  | 'exploding gradients'
  | 'no gradient'
  | 'dead units'
  | 'saturation'
  | 'small updates'
  | 'large updates';

export interface DiagnosticWarning {
  readonly kind: WarningKind;
  /** Path of the layer or parameter; '' for the whole model. */
  readonly path: string;
  /** What was measured, what is usual and what helps. */
  readonly message: string;
}

/** Where figures become warnings. */
export interface Thresholds {
  /** Root mean square of a weight's gradient below this share of the largest: vanishing. Default 1e-3. */
  readonly vanishing: number;
  /** Norm of the whole gradient above this: exploding. Default 100. */
  readonly exploding: number;
  /** Share of dead units in a layer; default 0.2. */
  readonly dead: number;
  /** Share of saturated values in a layer; default 0.5. */
  readonly saturated: number;
  /** Range of healthy update ratios of one step; default [1e-5, 0.1]. About 1e-3 is usual. */
  readonly updates: readonly [number, number];
}

const DEFAULTS: Thresholds = { vanishing: 1e-3, exploding: 100, dead: 0.2, saturated: 0.5, updates: [1e-5, 0.1] };

/** The thresholds among the options, checked. */
export function readLimits(where: string, options: object, known: readonly string[]): Thresholds {
  checkOptions(where, options, [...known, ...Object.keys(DEFAULTS)]);
  const given = options as Partial<Thresholds>;
  const limits = { ...DEFAULTS };
  for (const name of ['vanishing', 'exploding', 'dead', 'saturated'] as const) {
    const v = given[name] ?? DEFAULTS[name];
    const high = name === 'exploding' ? Infinity : 1;
    if (!(typeof v === 'number' && v > 0 && v <= high)) {
      throw new OptionError(`${where}: ${name} is ${shown(v)}, expected a number ${high === 1 ? 'in (0, 1]' : '> 0'}`);
    }
    limits[name] = v;
  }
  const [low, high] = given.updates ?? DEFAULTS.updates;
  if (!(low >= 0 && low < high)) {
    throw new OptionError(`${where}: updates is [${low}, ${high}], expected two numbers, the smaller first`);
  }
  return { ...limits, updates: [low, high] };
}

/** Everything wrong with the figures, from causes to consequences, the first layers first. */
export function warningsOf(
  { loss, parameters, activations }: Measurements,
  limits: Thresholds,
  steps: number,
): DiagnosticWarning[] {
  return [
    ...notFinite(loss, parameters, activations),
    ...exploding(parameters, limits.exploding),
    ...vanishing(parameters, limits.vanishing),
    ...activations.flatMap((a) => [...dead(a, limits.dead), ...saturated(a, limits.saturated)]),
    ...parameters.flatMap((p) => updates(p, limits.updates, steps)),
  ];
}

function notFinite(
  loss: number,
  parameters: readonly ParameterFigures[],
  activations: readonly ActivationFigures[],
): DiagnosticWarning[] {
  const found = (path: string, what: string): DiagnosticWarning[] => [
    { kind: 'not finite', path, message: `${what}; a smaller learning rate or inputs scaled to about 1 usually help` },
  ];
  const weights = parameters.find((p) => !Number.isFinite(p.norm));
  if (weights !== undefined) return found(weights.path, `parameter "${weights.path}" has values that are not finite`);
  const layer = activations.find((a) => !a.finite);
  if (layer !== undefined)
    return found(layer.path, `the first values that are not finite come out of "${layer.path}" (${layer.layer})`);
  if (!Number.isFinite(loss)) return found('', `the loss is ${loss}`);
  const gradient = parameters.find((p) => p.gradNorm !== null && !Number.isFinite(p.gradNorm));
  return gradient === undefined ? [] : found(gradient.path, `the gradient of "${gradient.path}" is not finite`);
}

function exploding(parameters: readonly ParameterFigures[], limit: number): DiagnosticWarning[] {
  const norms = parameters.map((p) => p.gradNorm ?? 0);
  const total = Math.hypot(...norms);
  if (!(total > limit) || !Number.isFinite(total)) return [];
  const worst = parameters[norms.indexOf(Math.max(...norms))];
  const message = `the gradient's norm is ${show(total)}, most of it from "${worst.path}"; above ${show(limit)} steps overshoot: use a smaller initialisation, normalisation, or gradient clipping`;
  return [{ kind: 'exploding gradients', path: worst.path, message }];
}

/** Among weights only: biases have gradients of another scale. */
function vanishing(parameters: readonly ParameterFigures[], limit: number): DiagnosticWarning[] {
  const weights = parameters.filter(
    (p) => p.gradRms !== null && Number.isFinite(p.gradRms) && p.connectionSparsity !== null,
  );
  const largest = weights.reduce((most, p) => Math.max(most, p.gradRms as number), 0);
  if (weights.length > 0 && largest === 0) {
    return [{ kind: 'no gradient', path: '', message: 'every gradient is 0: the model cannot learn from this batch' }];
  }
  const low = weights.filter((p) => (p.gradRms as number) < limit * largest);
  if (low.length === 0) return [];
  const [first] = low;
  const share = (first.gradRms as number) / largest;
  const others = low.length === 1 ? '' : ` and ${low.length - 1} more`;
  const message = `the gradient of "${first.path}"${others} is ${show(share)} of the largest layer's (root mean square): those layers hardly learn; use ReLU-like activations, He or Glorot initialisation, normalisation, or skip connections`;
  return [{ kind: 'vanishing gradients', path: first.path, message }];
}

function dead({ path, dead: count, units }: ActivationFigures, limit: number): DiagnosticWarning[] {
  if (count === null || count < limit * units || count === 0) return [];
  const message = `${count} of ${units} units of "${path}" are 0 for the whole batch (${percent(count / units)}) and get no gradient; use a smaller learning rate, smaller biases, or leaky ReLU`;
  return [{ kind: 'dead units', path, message }];
}

function saturated({ path, layer, saturation }: ActivationFigures, limit: number): DiagnosticWarning[] {
  if (saturation === null || !(saturation > limit)) return [];
  const message = `${percent(saturation)} of the outputs of "${path}" (${layer}) are saturated, where the slope is below 6 % of its largest; scale the inputs or use smaller weights`;
  return [{ kind: 'saturation', path, message }];
}

/** Steps may go to and fro: the change is at most their sum, so that its share a step is a lower bound for too large ones. */
function updates(
  { path, updateRatio }: ParameterFigures,
  [low, high]: readonly [number, number],
  steps: number,
): DiagnosticWarning[] {
  if (updateRatio === null || !Number.isFinite(updateRatio)) return [];
  const small = updateRatio < low;
  if (!small && updateRatio / steps <= high) return [];
  const during = steps === 1 ? '' : ` in ${steps} steps`;
  const compared = small ? `less than ${show(low)}: raise` : `more than ${show(high)} a step: lower`;
  const message = `"${path}" changed by ${show(updateRatio)} of its size${during}, ${compared} the learning rate`;
  return [{ kind: small ? 'small updates' : 'large updates', path, message }];
}

export function show(v: number): string {
  return String(Number(v.toPrecision(2)));
}

export function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}
