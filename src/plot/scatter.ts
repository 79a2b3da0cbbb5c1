import { OptionError } from '../errors.js';
import { checkOptions } from '../options.js';
import { AXES_OPTIONS, type AxesOptions, sizeOf } from './check.js';
import { colourOf } from './colours.js';
import { type Area, frame } from './frame.js';
import { canDraw, numberAxes, type Series, seriesOf } from './lines.js';
import { legendOf, pointSign, shapeAt } from './marks.js';

export interface ScatterOptions extends AxesOptions {
  /** Radius of a point in pixels, in [0.5, 20]; default 3.5, less for many points. */
  readonly radius?: number;
}

/**
 * A scatter chart: one sign and colour a series. Points that cannot be drawn (not finite, or not above 0 on a log scale)
 * are left out, and points that fall on the same half pixel are drawn once.
 * @param series each `{ name, x, y }`.
 * @param options `title`, `xLabel`, `yLabel`, `xScale`, `yScale`, `xRange`, `yRange`, `radius`, `width`, `height`.
 * @throws OptionError when there is nothing to draw or x and y differ in length.
 * @example plot.scatter([{ name: 'flowers', x: lengths, y: widths }], { xLabel: 'length, cm', yLabel: 'width, cm' });
 */
export function scatter(series: readonly Series[], options: ScatterOptions = {}): string {
  const where = 'scatter';
  checkOptions(where, options, [...AXES_OPTIONS, 'radius']);
  const list = seriesOf(where, series);
  const { width, height } = sizeOf(where, options);
  const [x, y] = numberAxes(where, list, options, false, 'nice');
  const radius = radiusFor(
    where,
    list.reduce((n, one) => n + one.y.length, 0),
    options.radius,
  );
  return frame({
    ...options,
    where,
    width,
    height,
    x,
    y,
    legend: legendOf(list, (one, i) => pointSign(one.colour ?? i)),
    clip: options.xRange !== undefined || options.yRange !== undefined,
    draw: (area) => list.map((one, i) => points(one, one.colour ?? i, area, radius, x.log, y.log)).join('\n'),
  });
}

export function radiusFor(where: string, total: number, radius?: number): number {
  if (radius !== undefined && !(radius >= 0.5 && radius <= 20)) {
    throw new OptionError(`${where}: radius is ${radius}, expected a number of pixels in [0.5, 20]`);
  }
  return radius ?? (total <= 300 ? 3.5 : total <= 2000 ? 2.4 : 1.5);
}

/** One path for all points of a series. */
export function points(
  { x, y }: { readonly x: ArrayLike<number>; readonly y: ArrayLike<number> },
  colour: number,
  area: Area,
  radius: number,
  xLog = false,
  yLog = false,
): string {
  const seen = new Set<number>();
  let path = '';
  for (let i = 0; i < y.length; i++) {
    if (!canDraw(x[i], xLog) || !canDraw(y[i], yLog)) continue;
    const [at, up] = [Math.round(area.x(x[i]) * 2) / 2, Math.round(area.y(y[i]) * 2) / 2];
    const key = at * 2 * 65536 + up * 2;
    if (seen.has(key)) continue;
    seen.add(key);
    path += shapeAt(colour, at, up, radius);
  }
  return `<path d="${path}" fill="${colourOf(colour)}" fill-opacity="0.85"/>`;
}
