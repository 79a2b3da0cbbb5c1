import { colourOf, dashOf } from './colours.js';
import type { LegendEntry } from './frame.js';
import { px } from './text.js';

/** Corners of the signs of points, for a radius of 1; null is a circle. Colour alone does not tell series apart. */
const SHAPES: readonly (readonly (readonly [number, number])[] | null)[] = [
  null,
  [
    [-0.9, -0.9],
    [0.9, -0.9],
    [0.9, 0.9],
    [-0.9, 0.9],
  ],
  [
    [0, -1.25],
    [1.15, 0.8],
    [-1.15, 0.8],
  ],
  [
    [0, -1.35],
    [1.15, 0],
    [0, 1.35],
    [-1.15, 0],
  ],
  [
    [-1.15, -0.8],
    [1.15, -0.8],
    [0, 1.25],
  ],
  [
    [-1.2, -0.4],
    [-0.4, -0.4],
    [-0.4, -1.2],
    [0.4, -1.2],
    [0.4, -0.4],
    [1.2, -0.4],
    [1.2, 0.4],
    [0.4, 0.4],
    [0.4, 1.2],
    [-0.4, 1.2],
    [-0.4, 0.4],
    [-1.2, 0.4],
  ],
];

/** Path data of point sign i at (x, y). */
export function shapeAt(i: number, x: number, y: number, radius: number): string {
  const corners = SHAPES[i % SHAPES.length];
  const r = px(radius);
  if (corners === null) {
    return `M${px(x - radius)} ${px(y)}a${r} ${r} 0 1 0 ${px(2 * radius)} 0a${r} ${r} 0 1 0 ${px(-2 * radius)} 0Z`;
  }
  return `M${corners.map(([dx, dy]) => `${px(x + dx * radius)} ${px(y + dy * radius)}`).join('L')}Z`;
}

export function lineSign(i: number, dashed = false): string {
  return `<path d="M-10 0h20" stroke="${colourOf(i)}" stroke-width="2.5"${dash(i, dashed)}/>`;
}

export function pointSign(i: number): string {
  return `<path d="${shapeAt(i, 0, 0, 4)}" fill="${colourOf(i)}"/>`;
}

export function boxSign(colour: string, opacity = 1): string {
  const see = opacity === 1 ? '' : ` fill-opacity="${opacity}"`;
  return `<path d="M-7-5H7V5H-7Z" fill="${colour}"${see}/>`;
}

/** The attribute of series i's line, with a blank before it. */
export function dash(i: number, dashed = false): string {
  const pattern = dashed ? '6 4' : dashOf(i);
  return pattern === '' ? '' : ` stroke-dasharray="${pattern}"`;
}

/** Entries of the series that have names. */
export function legendOf<T extends { readonly name?: string | undefined }>(
  series: readonly T[],
  sign: (one: T, i: number) => string,
): LegendEntry[] {
  return series.flatMap((one, i) =>
    one.name === undefined || one.name === '' ? [] : [{ name: one.name, sign: sign(one, i) }],
  );
}
