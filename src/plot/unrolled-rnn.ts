import { OptionError } from '../errors.js';
import { checkOptions, shown, wholeNumber } from '../options.js';
import { colourOf, INK } from './colours.js';
import { svgDocument } from './frame.js';
import { fitText, px, text, textWidth } from './text.js';

export interface UnrolledRnnOptions {
  /** Time steps to draw, in [1, 20]; default 4. */
  readonly steps?: number;
  /** Name in the cell, such as 'LSTM'; default 'RNN'. */
  readonly cell?: string;
  /** Which steps have an output: 'all' (default), 'last' for a sequence that is classified, 'none'. */
  readonly outputs?: 'all' | 'last' | 'none';
  /** Names of input, state, output and the three weights; default x, h, y, W, U, V. */
  readonly names?: Readonly<Partial<Record<'input' | 'state' | 'output' | 'W' | 'U' | 'V', string>>>;
  readonly title?: string;
}

const PITCH = 108;
const BOX = { width: 58, height: 40 };

/**
 * A recurrent network as a loop and unrolled in time: hₜ = f(W·xₜ + U·hₜ₋₁), yₜ = V·hₜ with the same W, U and V at every step.
 * @param options `steps`, `cell`, `outputs`, `names`, `title`.
 * @returns the text of an SVG file.
 * @throws OptionError for options out of range.
 * @example await plot.save(plot.unrolledRnn({ steps: 5, cell: 'LSTM', outputs: 'last' }), 'lstm.svg');
 * @see Goodfellow, Bengio and Courville (2016), Deep Learning, section 10.2.
 */
export function unrolledRnn(options: UnrolledRnnOptions = {}): string {
  const where = 'unrolledRnn';
  checkOptions(where, options, ['steps', 'cell', 'outputs', 'names', 'title']);
  const steps = wholeNumber(`${where}: steps`, options.steps ?? 4, 1, 20);
  const { outputs = 'all', cell = 'RNN', title } = options;
  if (!['all', 'last', 'none'].includes(outputs)) {
    throw new OptionError(`${where}: outputs is ${shown(outputs)}, expected 'all', 'last' or 'none'`);
  }
  checkOptions(`${where}: names`, options.names ?? {}, ['input', 'state', 'output', 'W', 'U', 'V']);
  const names = { input: 'x', state: 'h', output: 'y', W: 'W', U: 'U', V: 'V', ...options.names };
  const top = title === undefined ? 8 : 32;
  const middle = top + 96;
  const label = fitText(cell, BOX.width - 6);
  const gives = (t: number): boolean => outputs === 'all' || (outputs === 'last' && t === steps);

  const out = [
    column(64, middle, label, `${names.input}ₜ`, outputs === 'none' ? null : `${names.output}ₜ`, names),
    loop(64, middle, names.U),
  ];
  out.push(text(142, middle + 6, '=', { size: 20 }));
  for (let t = 1; t <= steps; t++) {
    const x = 118 + t * PITCH;
    const before = x - PITCH + (t === 1 ? 50 : BOX.width / 2);
    out.push(arrow(before, middle, x - BOX.width / 2, middle));
    out.push(
      text((before + x - BOX.width / 2) / 2 - 3, middle - 8, fitText(t === 1 ? `${names.state}₀` : names.U, 44)),
    );
    const output = gives(t) ? `${names.output}${subscript(t)}` : null;
    out.push(column(x, middle, label, `${names.input}${subscript(t)}`, output, names));
  }
  const width = 118 + steps * PITCH + 56;
  if (title !== undefined) {
    out.unshift(text(width / 2, 20, fitText(title, width - 16, 15), { size: 14, weight: 600 }));
  }
  return svgDocument(width, middle + 110, title ?? `${cell}, unrolled over ${steps} steps`, out.join('\n'));
}

/** Input below, cell, output above, with the weights beside the arrows. */
function column(
  x: number,
  y: number,
  cell: string,
  input: string,
  output: string | null,
  names: { readonly W: string; readonly V: string },
): string {
  const half = BOX.height / 2;
  const box = `<rect x="${px(x - BOX.width / 2)}" y="${px(y - half)}" width="${BOX.width}" height="${BOX.height}" rx="6" fill="${colourOf(0)}" fill-opacity="0.14" stroke="${colourOf(0)}" stroke-width="1.6"/>`;
  const parts = [
    box,
    text(x, y + 4, cell, { weight: 600 }),
    node(x, y + 84, input, colourOf(2)),
    arrow(x, y + 68, x, y + half),
    text(x + 8, y + 50, fitText(names.W, 44), { anchor: 'start' }),
  ];
  if (output !== null) {
    parts.push(
      node(x, y - 74, output, colourOf(1)),
      arrow(x, y - half, x, y - 58),
      text(x + 8, y - 34, fitText(names.V, 44), { anchor: 'start' }),
    );
  }
  return parts.join('');
}

function node(x: number, y: number, label: string, colour: string): string {
  const shown = fitText(label, PITCH - 30);
  const half = Math.max(15, textWidth(shown) / 2 + 7);
  const rect = `x="${px(x - half)}" y="${px(y - 15)}" width="${px(2 * half)}" height="30" rx="15"`;
  return `<rect ${rect} fill="${colour}" fill-opacity="0.14" stroke="${colour}" stroke-width="1.6"/>${text(x, y + 4, shown)}`;
}

/** From the right side of the cell back into its left, below it. */
function loop(x: number, y: number, weight: string): string {
  const [left, right] = [x - BOX.width / 2, x + BOX.width / 2];
  const d = `M${px(right)} ${px(y)}h12v32h-${px(right - left + 28)}v-32h9`;
  const name = fitText(weight, 22);
  return `<path d="${d}" fill="none" stroke="${INK}" stroke-width="1.5"/>${head(left, y, 0)}${text(right + 16, y + 20, name, { anchor: 'start' })}`;
}

function arrow(x0: number, y0: number, x1: number, y1: number): string {
  const angle = Math.atan2(y1 - y0, x1 - x0);
  const line = `M${px(x0)} ${px(y0)}L${px(x1 - 6 * Math.cos(angle))} ${px(y1 - 6 * Math.sin(angle))}`;
  return `<path d="${line}" stroke="${INK}" stroke-width="1.5"/>${head(x1, y1, angle)}`;
}

function head(x: number, y: number, angle: number): string {
  const corner = (side: number): string =>
    `${px(x - 8 * Math.cos(angle) - side * 4 * Math.sin(angle))} ${px(y - 8 * Math.sin(angle) + side * 4 * Math.cos(angle))}`;
  return `<path d="M${px(x)} ${px(y)}L${corner(1)}L${corner(-1)}Z"/>`;
}

function subscript(t: number): string {
  return [...String(t)].map((digit) => '₀₁₂₃₄₅₆₇₈₉'[Number(digit)]).join('');
}
