import { OptionError } from '../errors.js';
import { checkDrawable, type PlotOptions } from './check.js';
import { type ColourMap, colourAt, INK } from './colours.js';
import { dataUri, encodePng } from './png.js';
import { escapeXml, fitText, px, text, textWidth } from './text.js';
import { logTicks, niceEvery, niceTicks, type Ticks, widened } from './ticks.js';

const FONT = 'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, DejaVu Sans, sans-serif"';

/** An axis of numbers. */
export interface NumberAxis {
  readonly kind: 'number';
  readonly label?: string | undefined;
  readonly log?: boolean;
  /** Smallest and largest value to show. */
  readonly span: readonly [number, number];
  /** Ticks are whole numbers. */
  readonly whole?: boolean;
  /** Where the axis ends: at round numbers around the span, or at the span itself. */
  readonly ends: 'nice' | 'span';
  /** Free pixels inside both ends, for marks on the border; default 0. */
  readonly inset?: number;
}

/** An axis of names, each with an equal share. */
export interface NameAxis {
  readonly kind: 'names';
  readonly label?: string | undefined;
  readonly names: readonly string[];
}

export interface LegendEntry {
  readonly name: string;
  /** SVG of the sign, drawn around (0, 0) in a box of 20 x 12 pixels. */
  readonly sign: string;
}

export interface ColourBar {
  readonly map: ColourMap;
  readonly span: readonly [number, number];
  readonly log?: boolean;
}

/** The rectangle between the axes, and where values are in it. */
export interface Area {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  /** Pixels of a value, or of the middle of name i. */
  readonly x: (v: number) => number;
  readonly y: (v: number) => number;
}

export interface FrameOptions extends PlotOptions {
  readonly where: string;
  readonly width: number;
  readonly height: number;
  readonly x: NumberAxis | NameAxis;
  readonly y: NumberAxis | NameAxis;
  readonly legend?: readonly LegendEntry[];
  readonly colourBar?: ColourBar;
  /** Horizontal lines at the ticks; default true. */
  readonly grid?: boolean;
  /** Cuts off what is drawn outside the axes. */
  readonly clip?: boolean;
  readonly draw: (area: Area) => string;
}

/** An SVG file with a transparent background. */
export function svgDocument(width: number, height: number, label: string, body: string): string {
  const [w, h] = [px(width), px(height)];
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}" ` +
    `${FONT} font-size="12" fill="${INK}" role="img" aria-label="${escapeXml(label)}">\n${body}\n</svg>\n`
  );
}

/** A chart: title, axes with ticks and labels, legend below, and in between what `draw` returns. */
export function frame(options: FrameOptions): string {
  const { where, width, height, title, x, y, legend = [], colourBar, grid = true } = options;
  for (const axis of [x, y]) if (axis.kind === 'number') checkDrawable(where, axis.span, axis.log ?? false);
  const rows = legendRows(legend, width - 16);
  const top = title === undefined ? 14 : 34;
  // How much the labels take depends on how much room they leave, a little: the first round assumes two lines below.
  const sides = sidesOf(options, height - top - 50);
  const names = x.kind === 'names' ? nameLabels(x.names, width - 16 - sides.left - sides.right) : null;
  const below = 6 + (names?.height ?? 14) + (options.xLabel === undefined ? 0 : 18) + rows.length * 18 + 8;
  const bottom = height - below;
  const { yTicks, yNames, barTicks, left, right: barWidth } = sidesOf(options, bottom - top);
  let right = width - 16 - barWidth;
  let xTicks = ticksOf(x, right - left, 60);
  if (names === null) {
    for (let n = Math.floor((right - left) / 60); n > 1 && overlap(xTicks, right - left); n--) {
      xTicks = ticksOf(x, right - left, (right - left) / n);
    }
    // The last label is centred on the end of the axis.
    right = Math.min(right, width - 4 - barWidth - textWidth(xTicks.labels.at(-1) as string) / 2);
  }
  if (right - left < 40 || bottom - top < 40) {
    throw new OptionError(`${where}: ${width} x ${height} pixels leave no room beside the labels; give a larger size`);
  }
  const xAt = scaleOf(x, xTicks, left, right);
  const yAt = y.kind === 'names' ? scaleOf(y, yTicks, top, bottom) : scaleOf(y, yTicks, bottom, top);
  const area: Area = { left, right, top, bottom, x: xAt.at, y: yAt.at };

  const out: string[] = [];
  if (title !== undefined) {
    const heading = fitText(title, width - 16, 15); // bold letters are wider
    const centre = Math.min(
      Math.max((left + right) / 2, 8 + textWidth(heading, 15) / 2),
      width - 8 - textWidth(heading, 15) / 2,
    );
    out.push(text(centre, 20, heading, { size: 14, weight: 600 }));
  }
  const everyName = y.kind === 'names' ? niceEvery((15 * y.names.length) / (bottom - top)) : 1;
  yTicks.values.forEach((value, i) => {
    if (!yAt.shows(value) || i % everyName !== 0) return;
    const at = yAt.at(value);
    if (grid && y.kind === 'number') {
      out.push(`<path d="M${px(left)} ${px(at)}H${px(right)}" stroke="${INK}" stroke-opacity="0.25"/>`);
    }
    out.push(text(left - 8, at + 4, yNames[i], { anchor: 'end' }));
  });
  if (names === null) {
    xTicks.values.forEach((value, i) => {
      if (!xAt.shows(value)) return;
      out.push(`<path d="M${px(xAt.at(value))} ${px(bottom)}v5" stroke="${INK}"/>`);
      out.push(text(xAt.at(value), bottom + 18, xTicks.labels[i]));
    });
  } else {
    out.push(names.draw(xAt.at, bottom, right - left));
  }
  const content = options.draw(area);
  out.push(options.clip === true ? clipped(area, content) : content);
  const axes = `M${px(left)} ${px(top)}V${px(bottom)}H${px(right)}`;
  out.push(`<path d="${axes}" fill="none" stroke="${INK}"/>`);
  if (options.xLabel !== undefined) {
    const label = fitText(options.xLabel, width - 16);
    out.push(text(clamp((left + right) / 2, label, width), bottom + 20 + (names?.height ?? 14), label));
  }
  if (options.yLabel !== undefined) {
    const label = fitText(options.yLabel, height - 16);
    out.push(text(15, clamp((top + bottom) / 2, label, height), label, { rotate: -90 }));
  }
  if (colourBar !== undefined && barTicks !== undefined) out.push(drawBar(colourBar, barTicks, area, right + 14));
  out.push(drawLegend(rows, (left + right) / 2, width, height));
  return svgDocument(width, height, title ?? where, out.filter((part) => part !== '').join('\n'));
}

/** Ticks of the y axis and of the colour bar, and the widths that their labels take. */
function sidesOf(options: FrameOptions, pixels: number) {
  const { y, yLabel, width, colourBar } = options;
  const yTicks = ticksOf(y, pixels, 45);
  const yNames = yTicks.labels.map((label) => fitText(label, width / 3));
  const left = 14 + (yLabel === undefined ? 0 : 20) + widest(yNames);
  const barTicks = colourBar && ticksOf(barAxis(colourBar), pixels, 45);
  return { yTicks, yNames, barTicks, left, right: barTicks === undefined ? 0 : 30 + widest(barTicks.labels) };
}

function widest(labels: readonly string[]): number {
  return labels.reduce((most, label) => Math.max(most, textWidth(label)), 0);
}

function ticksOf(axis: NumberAxis | NameAxis, pixels: number, spacing: number): Ticks {
  if (axis.kind === 'names') return { values: axis.names.map((_, i) => i), labels: axis.names };
  const count = Math.max(2, Math.floor(pixels / spacing));
  const [low, high] = axis.span;
  return axis.log === true ? logTicks(low, high, count) : niceTicks(low, high, count, axis.whole ?? false);
}

function overlap(ticks: Ticks, pixels: number): boolean {
  const room = pixels / Math.max(1, ticks.values.length - 1);
  return ticks.labels.some((label, i) => i > 0 && (textWidth(label) + textWidth(ticks.labels[i - 1])) / 2 + 6 > room);
}

/** Where values are between two pixels, and which of them are shown. */
function scaleOf(axis: NumberAxis | NameAxis, ticks: Ticks, from: number, to: number) {
  if (axis.kind === 'names') {
    const share = (to - from) / axis.names.length;
    return { at: (i: number) => from + (i + 0.5) * share, shows: () => true };
  }
  const outer = ticks.ends ?? [ticks.values[0], ticks.values.at(-1) as number];
  const flat = axis.log === true ? !(axis.span[0] < axis.span[1]) : widened(...axis.span)[0] !== axis.span[0];
  const [low, high] = axis.ends === 'nice' || flat ? outer : axis.span;
  const inset = (axis.inset ?? 0) * Math.sign(to - from);
  const place = axis.log === true ? Math.log : (v: number) => v;
  const [a, b] = [place(low), place(high)];
  const slack = (b - a) * 1e-9;
  return {
    at: (v: number) => from + inset + ((place(v) - a) / (b - a)) * (to - from - 2 * inset),
    shows: (v: number) => place(v) >= a - slack && place(v) <= b + slack,
  };
}

/** A nested picture shows nothing outside itself, and needs no id that could clash with another picture's. */
function clipped({ left, right, top, bottom }: Area, content: string): string {
  const [x, y, w, h] = [left, top, right - left, bottom - top].map(px);
  return `<svg x="${x}" y="${y}" width="${w}" height="${h}" viewBox="${x} ${y} ${w} ${h}" overflow="hidden">${content}</svg>`;
}

/** A centre such that the label stays inside `size`. */
function clamp(centre: number, label: string, size: number): number {
  const half = textWidth(label) / 2 + 4;
  return Math.max(half, Math.min(size - half, centre));
}

/** Names under the x axis: level where they fit, else slanted. */
function nameLabels(names: readonly string[], pixels: number) {
  const needed = widest(names) + 8;
  // Short names, such as numbers, are rather left out than slanted.
  const slanted = needed > pixels / names.length && needed > 40;
  const shown = names.map((name) => fitText(name, slanted ? 96 : 1e9));
  const height = slanted ? 14 + widest(shown) * 0.71 : 14;
  const draw = (at: (i: number) => number, bottom: number, width: number): string => {
    // As many as do not touch.
    const every = niceEvery((slanted ? 16 : needed) / (width / names.length));
    return shown
      .map((name, i) => {
        if (i % every !== 0) return '';
        return slanted
          ? text(at(i) + 4, bottom + 14, name, { anchor: 'end', rotate: -45 })
          : text(at(i), bottom + 18, name);
      })
      .join('');
  };
  return { height, draw };
}

function barAxis({ span, log = false }: ColourBar): NumberAxis {
  return { kind: 'number', span, log, ends: 'span' };
}

function drawBar(bar: ColourBar, ticks: Ticks, { top, bottom }: Area, left: number): string {
  const steps = 64;
  const pixels = new Uint8Array(steps * 3);
  for (let i = 0; i < steps; i++) pixels.set(colourAt(bar.map, 1 - i / (steps - 1)).map(Math.round), i * 3);
  const { at, shows } = scaleOf(barAxis(bar), ticks, bottom, top);
  const href = dataUri(encodePng(pixels, 1, steps, 3));
  const box = `x="${px(left)}" y="${px(top)}" width="12" height="${px(bottom - top)}"`;
  const labels = ticks.values.map((v, i) =>
    shows(v) ? text(left + 17, at(v) + 4, ticks.labels[i], { anchor: 'start' }) : '',
  );
  return `<image ${box} preserveAspectRatio="none" href="${href}"/>${labels.join('')}`;
}

/** Entries in lines that fit the width; names that do not are shortened. */
function legendRows(entries: readonly LegendEntry[], width: number): (LegendEntry & { width: number })[][] {
  const rows: (LegendEntry & { width: number })[][] = [];
  let used = Number.POSITIVE_INFINITY;
  for (const { name, sign } of entries) {
    const shown = fitText(name, width - 40);
    const needed = 26 + textWidth(shown) + 12;
    if (used + needed > width) {
      rows.push([]);
      used = 0;
    }
    rows.at(-1)?.push({ name: shown, sign, width: needed });
    used += needed;
  }
  return rows;
}

function drawLegend(rows: ReturnType<typeof legendRows>, centre: number, width: number, height: number): string {
  return rows
    .map((row, r) => {
      const y = height - 10 - (rows.length - 1 - r) * 18;
      const total = row.reduce((sum, entry) => sum + entry.width, 0) - 12;
      let x = Math.max(8, Math.min(centre - total / 2, width - 8 - total));
      return row
        .map((entry) => {
          const sign = `<g transform="translate(${px(x + 10)} ${px(y - 4)})">${entry.sign}</g>`;
          const label = text(x + 26, y, entry.name, { anchor: 'start' });
          x += entry.width;
          return sign + label;
        })
        .join('');
    })
    .join('\n');
}
