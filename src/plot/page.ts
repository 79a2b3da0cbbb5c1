import { OptionError } from '../errors.js';
import { checkList, checkOptions, wholeNumber } from '../options.js';
import { svgDocument } from './frame.js';
import { fitText, px, text } from './text.js';

export interface PageOptions {
  /** Pictures in a row; default 2, or 1 for a single picture. */
  readonly columns?: number;
  /** Heading of the page. */
  readonly title?: string;
}

/**
 * Several pictures on one page, row by row; a column is as wide as its widest picture, a row as high as its highest.
 * @param pictures what the functions of `plot` return; pages too.
 * @param options `columns`, `title`.
 * @returns the text of an SVG file.
 * @throws OptionError when there are no pictures or one is no SVG file with a width and a height.
 * @example plot.page([plot.learningCurve(history), plot.confusionMatrix(matrix)], { title: 'MNIST' });
 */
export function page(pictures: readonly string[], options: PageOptions = {}): string {
  checkOptions('page', options, ['columns', 'title']);
  checkList('page', 'pictures', pictures, 'SVG texts');
  if (pictures.length === 0) throw new OptionError('page: got no pictures, expected at least one');
  const columns = Math.min(pictures.length, wholeNumber('page: columns', options.columns ?? 2, 1));
  const parts = pictures.map((svg, i) => sized(svg, i));
  const widths: number[] = new Array(columns).fill(0);
  const heights: number[] = new Array(Math.ceil(parts.length / columns)).fill(0);
  parts.forEach(({ width, height }, i) => {
    widths[i % columns] = Math.max(widths[i % columns], width);
    heights[Math.floor(i / columns)] = Math.max(heights[Math.floor(i / columns)], height);
  });
  const top = options.title === undefined ? 0 : 36;
  const total = widths.reduce((a, b) => a + b, 0);
  const body = parts.map(({ rest }, i) => {
    const x = widths.slice(0, i % columns).reduce((a, b) => a + b, 0);
    const y = top + heights.slice(0, Math.floor(i / columns)).reduce((a, b) => a + b, 0);
    return `<svg x="${px(x)}" y="${px(y)}"${rest.trimEnd()}`;
  });
  if (options.title !== undefined) {
    body.unshift(text(total / 2, 24, fitText(options.title, total - 16, 18), { size: 17, weight: 600 }));
  }
  const label = options.title ?? `${parts.length} pictures`;
  return svgDocument(total, top + heights.reduce((a, b) => a + b, 0), label, body.join('\n'));
}

/** Size of a picture, and its text after `<svg`. */
function sized(svg: unknown, i: number): { width: number; height: number; rest: string } {
  const match = typeof svg === 'string' ? /^\s*<svg(\s[^>]*>[\s\S]*)$/.exec(svg) : null;
  const tag = match?.[1].slice(0, match[1].indexOf('>')) ?? '';
  const [width, height] = ['width', 'height'].map((name) =>
    Number(new RegExp(`\\s${name}="([\\d.]+)"`).exec(tag)?.[1]),
  );
  if (match === null || !(width > 0) || !(height > 0)) {
    const hint = svg instanceof Promise ? '; it is a promise: await it' : '';
    throw new OptionError(`page: picture ${i} is not an SVG text with a width and a height in pixels${hint}`);
  }
  return { width, height, rest: match[1] };
}
