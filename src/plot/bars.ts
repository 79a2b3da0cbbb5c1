import { OptionError } from '../errors.js';
import { checkOptions } from '../options.js';
import { checkRange, extent, PLOT_OPTIONS, type PlotOptions, sizeOf } from './check.js';
import { colourOf } from './colours.js';
import { frame } from './frame.js';
import { type SeriesLike, seriesOf } from './lines.js';
import { boxSign, legendOf } from './marks.js';
import { px } from './text.js';

export interface BarsOptions extends PlotOptions {
  /** Ends of the y axis; default from 0 to round numbers around the data. */
  readonly yRange?: readonly [number, number];
}

/**
 * A bar chart: a group for each name with a bar for each series, from 0 up or down. Values that are not finite have no bar.
 * @param names one a group.
 * @param series y values by name, or `{ name, y }`, one value a group.
 * @param options `title`, `xLabel`, `yLabel`, `yRange`, `width`, `height`.
 * @throws OptionError when there is nothing to draw or a series has another length.
 * @example plot.bars(['relu', 'tanh'], { training: [0.99, 0.98], test: [0.97, 0.96] }, { yLabel: 'accuracy' });
 */
export function bars(names: readonly string[], series: SeriesLike, options: BarsOptions = {}): string {
  const where = 'bars';
  checkOptions(where, options, [...PLOT_OPTIONS, 'yRange']);
  const { width, height } = sizeOf(where, options);
  const list = seriesOf(where, series);
  for (const { name, y } of list) {
    if (y.length !== names.length) {
      throw new OptionError(
        `${where}: series "${name}" has ${y.length} values for ${names.length} names, expected as many`,
      );
    }
  }
  const span = extent(list.flatMap((one) => Array.from(one.y)));
  if (span === null) throw new OptionError(`${where}: got no finite value to draw`);
  if (options.yRange !== undefined) checkRange(where, 'yRange', options.yRange, false);
  return frame({
    ...options,
    where,
    width,
    height,
    x: { kind: 'names', names },
    y: {
      kind: 'number',
      span: options.yRange ?? [Math.min(0, span[0]), Math.max(0, span[1])],
      ends: options.yRange === undefined ? 'nice' : 'span',
    },
    legend: legendOf(list, (_, i) => boxSign(colourOf(i))),
    clip: options.yRange !== undefined,
    draw: (area) => {
      const group = (area.right - area.left) / names.length;
      const bar = Math.min(48, (0.8 * group) / list.length);
      const zero = px(area.y(Math.max(0, options.yRange?.[0] ?? 0)));
      return list
        .map((one, k) => {
          const boxes = Array.from(one.y, (v, i) => {
            if (!Number.isFinite(v)) return '';
            const left = area.x(i) + (k - list.length / 2) * bar;
            return `M${px(left)} ${zero}V${px(area.y(v))}H${px(left + bar * 0.94)}V${zero}Z`;
          });
          return `<path d="${boxes.join('')}" fill="${colourOf(k)}"/>`;
        })
        .join('\n');
    },
  });
}
