import { checkOptions } from '../options.js';
import type { ActivationFigures, Measurements, ParameterFigures } from './measure.js';
import type { FitVerdict } from './verdict.js';
import { type DiagnosticWarning, percent } from './warnings.js';

/** What {@link diagnose} found; `String(diagnosis)` is the table, and everything but the picture survives JSON. */
export class Diagnosis implements Measurements {
  readonly loss: number;
  readonly parameters: readonly ParameterFigures[];
  readonly activations: readonly ActivationFigures[];
  readonly warnings: readonly DiagnosticWarning[];
  /** null without a history. */
  readonly verdict: FitVerdict | null;
  /** The pictures on one page. */
  readonly svg: string;

  /** For {@link diagnose}; users call that. */
  constructor(
    measurements: Measurements,
    warnings: readonly DiagnosticWarning[],
    verdict: FitVerdict | null,
    svg: string,
  ) {
    checkOptions('Diagnosis', measurements, ['loss', 'parameters', 'activations']);
    const { loss, parameters, activations } = measurements;
    this.loss = loss;
    this.parameters = parameters;
    this.activations = activations;
    this.warnings = warnings;
    this.verdict = verdict;
    this.svg = svg;
  }

  /** Norm of the whole gradient. */
  get gradNorm(): number {
    return Math.hypot(...this.parameters.map((p) => p.gradNorm ?? 0));
  }

  /** Share of all weights that are 0. */
  get sparsity(): number {
    const sizes = this.parameters.map((p) => p.shape.reduce((a, b) => a * b, 1));
    const total = sizes.reduce((a, b) => a + b, 0);
    return total === 0 ? 0 : this.parameters.reduce((sum, p, i) => sum + p.sparsity * sizes[i], 0) / total;
  }

  /** A table of the parameters, one of the activations, the warnings and the verdict. */
  toString(): string {
    const updates = this.parameters.some((p) => p.updateRatio !== null);
    const parameters = this.parameters.map((p) => [
      p.path,
      `[${p.shape.join(', ')}]`,
      number(p.norm),
      p.gradNorm === null ? '-' : number(p.gradNorm),
      p.gradRms === null ? '-' : number(p.gradRms),
      ...(updates ? [p.updateRatio === null ? '-' : number(p.updateRatio)] : []),
      percent(p.sparsity),
      p.connectionSparsity === null ? '-' : percent(p.connectionSparsity),
    ]);
    const activations = this.activations.map((a) => [
      a.path,
      a.layer,
      number(a.mean),
      number(a.std),
      percent(a.sparsity),
      a.dead === null ? '-' : `${a.dead} of ${a.units}`,
      a.saturation === null ? '-' : percent(a.saturation),
    ]);
    const header = [
      'parameter',
      'shape',
      'norm',
      'gradient',
      'gradient rms',
      ...(updates ? ['update'] : []),
      'zeros',
      'no connection',
    ];
    const parts = [
      table([header, ...parameters]),
      table([['output of', 'layer', 'mean', 'std', 'zeros', 'dead', 'saturated'], ...activations]),
      `loss ${number(this.loss)}, norm of the gradient ${number(this.gradNorm)}`,
    ];
    parts.push(
      this.warnings.length === 0 ? 'no warnings' : this.warnings.map((w) => `${w.kind}: ${w.message}`).join('\n'),
    );
    if (this.verdict !== null) parts.push(`${this.verdict.kind}: ${this.verdict.reasons.join('; ')}`);
    return parts.join('\n\n');
  }
}

function number(v: number): string {
  if (!Number.isFinite(v)) return String(v);
  const size = Math.abs(v);
  return v === 0 || (size >= 1e-3 && size < 1e4)
    ? String(Number(v.toPrecision(3)))
    : v.toExponential(1).replace('e+', 'e');
}

/** Columns as wide as their widest cell; all but the first two to the right. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
