import { OptionError } from '../errors.js';
import { niceTicks } from './ticks.js';

/** One line of a chart. Points whose y is not finite leave a gap. */
export interface Series {
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly dashed?: boolean;
}

export interface Chart {
  readonly title?: string;
  readonly xLabel?: string;
  readonly yLabel?: string;
  readonly series: readonly Series[];
  /** Ticks of the x axis are whole numbers. */
  readonly wholeX?: boolean;
}

export interface ChartSize {
  /** Width of one chart in pixels, at least 160; default 480. */
  readonly width?: number;
  /** Height in pixels, at least 120; default 320. */
  readonly height?: number;
}

// Mid tones with a contrast of at least 3 : 1 (lines) and 4 : 1 (text) on white and on near black alike.
const INK = '#737b85';
const COLOURS = ['#3b82f6', '#e0701a', '#1f9d57', '#c054d6', '#d64545', '#0f97a8'];
const FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif"';
const MARGIN = { top: 34, right: 16, bottom: 64, left: 62 };
/** Points are marked while there are few enough to tell them apart. */
const MAX_MARKED = 40;

/**
 * Draws line charts side by side as one SVG with a transparent background, readable on white and on dark pages.
 * @param charts each has at least one series; x and y of a series are equally long.
 * @returns the text of an SVG file.
 * @throws OptionError when there is nothing to draw or a series does not fit.
 * @example await writeFile('loss.svg', lineCharts([{ series: [{ name: 'train', x: [1, 2, 3], y: [0.9, 0.5, 0.4] }] }]));
 */
export function lineCharts(charts: readonly Chart[], { width = 480, height = 320 }: ChartSize = {}): string {
  if (charts.length === 0) throw new OptionError('lineCharts: got no charts, expected at least one');
  if (!(width >= 160) || !(height >= 120)) {
    throw new OptionError(`lineCharts: got ${width} x ${height} pixels, expected at least 160 x 120`);
  }
  const total = width * charts.length;
  const body = charts.map((chart, i) => `<g transform="translate(${i * width} 0)">${draw(chart, width, height)}</g>`);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${total}" height="${height}" viewBox="0 0 ${total} ${height}" ` +
    `${FONT} font-size="12" fill="${INK}" role="img">\n${body.join('\n')}\n</svg>\n`
  );
}

function draw(chart: Chart, width: number, height: number): string {
  const points = finitePoints(chart);
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const xTicks = niceTicks(minimum(xs), maximum(xs), Math.max(2, Math.floor((width - 80) / 60)), chart.wholeX ?? false);
  const yTicks = niceTicks(minimum(ys), maximum(ys), Math.max(2, Math.floor((height - 90) / 45)));
  const plot = { left: MARGIN.left, right: width - MARGIN.right, top: MARGIN.top, bottom: height - MARGIN.bottom };
  // x ends where the data ends, y at its outer ticks.
  const xLow = xs.length > 1 && minimum(xs) < maximum(xs) ? minimum(xs) : xTicks.values[0];
  const xHigh = xs.length > 1 && minimum(xs) < maximum(xs) ? maximum(xs) : (xTicks.values.at(-1) as number);
  const xAt = scale(xLow, xHigh, plot.left + 6, plot.right - 6);
  const yAt = scale(yTicks.values[0], yTicks.values.at(-1) as number, plot.bottom, plot.top);

  const out: string[] = [];
  if (chart.title !== undefined) {
    out.push(text((plot.left + plot.right) / 2, 20, chart.title, 'font-size="14" font-weight="600"'));
  }
  yTicks.values.forEach((value, i) => {
    const y = px(yAt(value));
    out.push(`<path d="M${plot.left} ${y}H${plot.right}" stroke="${INK}" stroke-opacity="0.25"/>`);
    out.push(text(plot.left - 8, yAt(value) + 4, yTicks.labels[i], '', 'end'));
  });
  xTicks.values.forEach((value, i) => {
    if (value < xLow - 1e-9 || value > xHigh + 1e-9) return;
    const x = px(xAt(value));
    out.push(`<path d="M${x} ${plot.bottom}v5" stroke="${INK}"/>`);
    out.push(text(xAt(value), plot.bottom + 18, xTicks.labels[i]));
  });
  out.push(`<path d="M${plot.left} ${plot.top}V${plot.bottom}H${plot.right}" fill="none" stroke="${INK}"/>`);
  if (chart.xLabel !== undefined) out.push(text((plot.left + plot.right) / 2, plot.bottom + 34, chart.xLabel));
  if (chart.yLabel !== undefined) {
    const y = (plot.top + plot.bottom) / 2;
    out.push(text(14, y, chart.yLabel, `transform="rotate(-90 14 ${px(y)})"`));
  }
  chart.series.forEach((series, i) => {
    out.push(curve(series, COLOURS[i % COLOURS.length], xAt, yAt));
  });
  out.push(legend(chart.series, plot.left, plot.right, height - 10));
  return out.join('\n');
}

function curve(series: Series, colour: string, xAt: (x: number) => number, yAt: (y: number) => number): string {
  let path = '';
  let pen = 'M';
  const marks: string[] = [];
  for (let i = 0; i < series.x.length; i++) {
    if (!Number.isFinite(series.x[i]) || !Number.isFinite(series.y[i])) {
      pen = 'M';
      continue;
    }
    const x = px(xAt(series.x[i]));
    const y = px(yAt(series.y[i]));
    path += `${pen}${x} ${y}`;
    pen = 'L';
    marks.push(`<circle cx="${x}" cy="${y}" r="2.6"/>`);
  }
  const dash = series.dashed === true ? ' stroke-dasharray="6 4"' : '';
  const line = `<path d="${path}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round"${dash}/>`;
  return marks.length > MAX_MARKED ? line : `${line}\n<g fill="${colour}">${marks.join('')}</g>`;
}

function legend(series: readonly Series[], left: number, right: number, y: number): string {
  // No font metrics here: 7 pixels a character is a little more than any common sans-serif needs at 12 pixels.
  const widths = series.map((s) => 28 + s.name.length * 7);
  let x = (left + right) / 2 - widths.reduce((a, b) => a + b, 0) / 2;
  return series
    .map((s, i) => {
      const dash = s.dashed === true ? ' stroke-dasharray="6 4"' : '';
      const mark = `<path d="M${px(x)} ${y - 4}h18" stroke="${COLOURS[i % COLOURS.length]}" stroke-width="2.5"${dash}/>`;
      const label = text(x + 23, y, s.name, '', 'start');
      x += widths[i] + 8;
      return mark + label;
    })
    .join('\n');
}

function finitePoints(chart: Chart): [number, number][] {
  const label = `lineCharts${chart.title === undefined ? '' : ` "${chart.title}"`}`;
  const points: [number, number][] = [];
  for (const { name, x, y } of chart.series) {
    if (x.length !== y.length) {
      throw new OptionError(`${label}: series "${name}" has ${x.length} x and ${y.length} y values, expected as many`);
    }
    x.forEach((v, i) => {
      if (Number.isFinite(v) && Number.isFinite(y[i])) points.push([v, y[i]]);
    });
  }
  if (points.length === 0) throw new OptionError(`${label}: got no finite point to draw`);
  return points;
}

function scale(from: number, to: number, start: number, end: number): (v: number) => number {
  return (v) => start + ((v - from) / (to - from)) * (end - start);
}

function text(x: number, y: number, content: string, attributes = '', anchor = 'middle'): string {
  const extra = attributes === '' ? '' : ` ${attributes}`;
  return `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}"${extra}>${escapeXml(content)}</text>`;
}

/** Tenths of a pixel are enough and keep the file small. */
function px(v: number): string {
  return String(Math.round(v * 10) / 10);
}

function escapeXml(s: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  // Control characters are not legal in XML, not even escaped.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return s.replace(/[\u0000-\u001f]/g, ' ').replace(/[&<>"]/g, (c) => entities[c]);
}

function minimum(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function maximum(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}
