import { OptionError } from '../errors.js';
import { checkArray, checkOptions, shown, wholeNumber } from '../options.js';
import { checkDrawable, checkRange, extent, PLOT_OPTIONS, type PlotOptions, sizeOf } from './check.js';
import { colourOf } from './colours.js';
import { frame } from './frame.js';
import { boxSign } from './marks.js';
import { px } from './text.js';
import { widened } from './ticks.js';

export interface HistogramOptions extends PlotOptions {
  /** How many bins of equal width, in [1, 2000]; 'auto' (default) looks at the spread. */
  readonly bins?: number | 'auto';
  /** What the bins cover; default the smallest to the largest value. */
  readonly range?: readonly [number, number];
  /** Areas of 1 instead of counts; default false. */
  readonly density?: boolean;
}

/** Counts of values in bins of equal width: bin i is [edges[i], edges[i + 1]), the last one closed. */
export interface Bins {
  readonly edges: readonly number[];
  readonly counts: readonly number[];
}

const OPTIONS = [...PLOT_OPTIONS, 'bins', 'range', 'density'] as const;
const MAX_BINS = 2000;
/** 'auto' may ask for very many when a few values are far away. */
const MAX_AUTO = 200;

/**
 * A histogram of one or several lists of values, all in the same bins. The legend tells how many values are not finite; those
 * and the ones outside `range` are not counted.
 * @param values numbers, or lists of numbers by name.
 * @param options `bins`, `range`, `density`, `title`, `xLabel`, `yLabel`, `width`, `height`.
 * @throws OptionError when no value is finite and there is no range.
 * @example plot.histogram({ relu: await a.data(), tanh: await b.data() }, { xLabel: 'activation' });
 * @see NumPy, histogram and histogram_bin_edges with bins='auto'.
 */
export function histogram(
  values: ArrayLike<number> | Readonly<Record<string, ArrayLike<number>>>,
  options: HistogramOptions = {},
): string {
  const where = 'histogram';
  checkOptions(where, options, OPTIONS);
  const { width, height } = sizeOf(where, options);
  if (typeof values !== 'object' || values === null) {
    throw new OptionError(`${where}: got ${shown(values)}, expected numbers or lists of numbers by name`);
  }
  const lists: [string, ArrayLike<number>][] =
    Array.isArray(values) || ArrayBuffer.isView(values) ? [['', values as ArrayLike<number>]] : Object.entries(values);
  if (lists.length === 0)
    throw new OptionError(`${where}: got no values, expected numbers or lists of numbers by name`);
  for (const [name, list] of lists) checkArray(where, name === '' ? 'values' : `values "${name}"`, list);
  const { density = false } = options;
  const edges = edgesOf(
    where,
    lists.map(([, list]) => list),
    options,
  );
  const drawn = lists.map(([name, list]) => {
    const counts = countInto(list, edges);
    const total = counts.reduce((a, b) => a + b, 0);
    const step = edges[1] - edges[0];
    const lost = Array.from(list).filter((v) => !Number.isFinite(v)).length;
    const note = lost === 0 ? '' : `(${lost} not finite)`;
    return {
      name: `${name} ${note}`.trim(),
      heights: counts.map((c) => (density && total > 0 ? c / total / step : c)),
    };
  });
  const top = Math.max(...drawn.flatMap((one) => one.heights));
  const alone = drawn.length === 1;
  return frame({
    yLabel: density ? 'density' : 'count',
    ...options,
    where,
    width,
    height,
    x: { kind: 'number', span: [edges[0], edges[edges.length - 1]], ends: 'span', inset: 4 },
    y: { kind: 'number', span: [0, top === 0 ? 1 : top], ends: 'nice' },
    legend: drawn.flatMap(({ name }, i) =>
      name === '' ? [] : [{ name, sign: boxSign(colourOf(i), alone ? 0.85 : 0.6) }],
    ),
    draw: (area) =>
      drawn
        .map(({ heights }, k) => {
          const steps = heights.map((h, i) => `V${px(area.y(h))}H${px(area.x(edges[i + 1]))}`).join('');
          const zero = px(area.y(0));
          const path = `M${px(area.x(edges[0]))} ${zero}${steps}V${zero}Z`;
          return `<path d="${path}" fill="${colourOf(k)}" fill-opacity="${alone ? 0.75 : 0.35}" stroke="${colourOf(k)}" stroke-width="1.2"/>`;
        })
        .join('\n'),
  });
}

/** Edges of `n` bins of equal width, as NumPy's linspace gives them. */
function edgesOf(where: string, lists: readonly ArrayLike<number>[], options: HistogramOptions): number[] {
  const { range, bins = 'auto' } = options;
  if (range !== undefined) checkRange(where, 'range', range, false);
  const span = range ?? allExtent(lists);
  if (span === null) throw new OptionError(`${where}: no value is finite; give a range to draw an empty histogram`);
  checkDrawable(where, span, false);
  const [low, high] = widened(...span);
  const n = bins === 'auto' ? autoBins(lists, low, high) : wholeNumber(`${where}: bins`, bins, 1, MAX_BINS);
  return Array.from({ length: n + 1 }, (_, i) => (i === n ? high : low + (i * (high - low)) / n));
}

function allExtent(lists: readonly ArrayLike<number>[]): [number, number] | null {
  const spans = lists.map((list) => extent(Array.from(list))).filter((s) => s !== null);
  return spans.length === 0 ? null : [Math.min(...spans.map(([l]) => l)), Math.max(...spans.map(([, h]) => h))];
}

/** The larger number of Sturges' and of Freedman and Diaconis' rule. */
function autoBins(lists: readonly ArrayLike<number>[], low: number, high: number): number {
  let most = 1;
  for (const list of lists) {
    const sorted = Float64Array.from(Array.from(list).filter((v) => v >= low && v <= high)).sort();
    if (sorted.length === 0) continue;
    const span = sorted[sorted.length - 1] - sorted[0];
    const sturges = span / (Math.log2(sorted.length) + 1);
    const diaconis = (2 * (quantile(sorted, 0.75) - quantile(sorted, 0.25))) / Math.cbrt(sorted.length);
    const wide = diaconis > 0 ? Math.min(sturges, diaconis) : sturges;
    if (wide > 0) most = Math.max(most, Math.min(MAX_AUTO, Math.ceil((high - low) / wide)));
  }
  return most;
}

function quantile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1);
  const i = Math.floor(at);
  return sorted[i] + (at - i) * ((sorted[i + 1] ?? sorted[i]) - sorted[i]);
}

function countInto(values: ArrayLike<number>, edges: readonly number[]): number[] {
  const n = edges.length - 1;
  const [low, high] = [edges[0], edges[n]];
  const counts = new Array<number>(n).fill(0);
  for (let k = 0; k < values.length; k++) {
    const v = values[k];
    if (!(v >= low && v <= high)) continue;
    let i = Math.min(n - 1, Math.floor(((v - low) / (high - low)) * n));
    // The division may round across an edge.
    if (v < edges[i]) i -= 1;
    else if (i < n - 1 && v >= edges[i + 1]) i += 1;
    counts[i] += 1;
  }
  return counts;
}

/** Counts for tests and for whoever needs the numbers behind the picture. */
export function histogramCounts(
  values: ArrayLike<number>,
  options: Pick<HistogramOptions, 'bins' | 'range'> = {},
): Bins {
  checkOptions('histogramCounts', options, ['bins', 'range']);
  checkArray('histogramCounts', 'values', values);
  const edges = edgesOf('histogramCounts', [values], options);
  return { edges, counts: countInto(values, edges) };
}
