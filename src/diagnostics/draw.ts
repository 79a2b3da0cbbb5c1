import { bars, layers, learningCurve, page } from '../plot/index.js';
import type { Measurements } from './measure.js';
import type { Epochs } from './verdict.js';

/** The pictures of a diagnosis on one page: what has no finite figure is left out. */
export function drawDiagnosis({ parameters, activations }: Measurements, history?: Epochs): string {
  const pictures: string[] = [];
  const positive = (values: readonly (number | null)[]): number[] => values.map((v) => v ?? Number.NaN);
  const drawable = (values: readonly number[]): boolean => values.some((v) => Number.isFinite(v) && v > 0);
  // Biases have figures of another scale, which would make a saw of the line.
  const weights = parameters.filter((p) => p.connectionSparsity !== null);
  const shown = weights.length > 0 ? weights : parameters;
  const names = shown.map((p) => p.path);
  const byWeight = {
    gradient: positive(shown.map((p) => p.gradNorm)),
    weight: positive(shown.map((p) => p.norm)),
  };
  if (drawable([...byWeight.gradient, ...byWeight.weight])) {
    pictures.push(
      layers(names, byWeight, { title: 'Norms of weights and gradients', xLabel: 'parameter', yLabel: 'norm' }),
    );
  }
  const updates = positive(shown.map((p) => p.updateRatio));
  if (drawable(updates)) {
    pictures.push(
      layers(
        names,
        { 'since before': updates, 'usual for one step': updates.map(() => 1e-3) },
        { title: 'Updates', xLabel: 'parameter', yLabel: '‖change‖ / ‖weight‖' },
      ),
    );
  }
  const outputs = activations.map((a) => a.path);
  const spread = activations.map((a) => a.std);
  if (drawable(spread))
    pictures.push(layers(outputs, { std: spread }, { title: 'Spread of outputs', yLabel: 'standard deviation' }));
  const troubled = activations.filter((a) => a.dead !== null || a.saturation !== null);
  if (troubled.length > 0) {
    const shares = {
      'zero values': troubled.map((a) => a.sparsity),
      'dead units': troubled.map((a) => (a.dead === null ? Number.NaN : a.dead / a.units)),
      saturated: troubled.map((a) => a.saturation ?? Number.NaN),
    };
    const title = 'Zeros, dead units and saturation';
    pictures.push(
      bars(
        troubled.map((a) => a.path),
        shares,
        { title, xLabel: 'layer', yLabel: 'share', yRange: [0, 1] },
      ),
    );
  }
  if (history !== undefined && history.epochs.length > 0) pictures.push(learningCurve(history));
  if (pictures.length === 0) pictures.push(bars([''], { '': [0] }, { title: 'No finite figure to draw' }));
  return page(pictures, { title: 'Diagnosis' });
}
