import type { Area } from './frame.js';
import { px } from './text.js';

/** Values on a rectangular grid: `values[j * nx + i]` at (x[i], y[j]). */
export interface Grid {
  readonly x: ArrayLike<number>;
  readonly y: ArrayLike<number>;
  readonly values: ArrayLike<number>;
}

/** The two corners of each edge of a cell, as offsets in x and y: below, right, above, left. */
const EDGES = [
  [0, 0, 1, 0],
  [1, 0, 1, 1],
  [0, 1, 1, 1],
  [0, 0, 0, 1],
] as const;

/**
 * Edges of a cell that the line crosses, in pairs, by which corners are above the level: bits of (0,0), (1,0), (1,1), (0,1).
 * Cases 5 and 10 are saddles; {@link contour} looks at their centre.
 */
// biome-ignore format: a table
const CASES: readonly (readonly number[])[] = [
  [], [3, 0], [0, 1], [3, 1], [1, 2], [0, 1, 2, 3], [0, 2], [3, 2],
  [2, 3], [2, 0], [3, 0, 1, 2], [2, 1], [1, 3], [1, 0], [0, 3], [],
];
/** How the crossings of a saddle are joined when its centre is not above the level. */
const SADDLES: Readonly<Record<number, readonly number[]>> = { 5: [3, 0, 1, 2], 10: [0, 1, 2, 3] };

/**
 * Path data of the line where the values equal the level, by marching squares with linear interpolation. Cells with a
 * corner that is not finite are left out.
 * @see Lorensen and Cline (1987), Marching cubes, in two dimensions.
 */
export function contour({ x, y, values }: Grid, level: number, area: Pick<Area, 'x' | 'y'>): string {
  let path = '';
  for (let j = 0; j + 1 < y.length; j++) {
    for (let i = 0; i + 1 < x.length; i++) {
      const at = (dx: number, dy: number): number => values[(j + dy) * x.length + i + dx];
      const corners = [at(0, 0), at(1, 0), at(1, 1), at(0, 1)];
      if (!corners.every(Number.isFinite)) continue;
      const kind = corners.reduce((bits, v, k) => (v > level ? bits | (1 << k) : bits), 0);
      const middle = corners.reduce((sum, v) => sum + v / 4, 0);
      const crossed = middle <= level && kind in SADDLES ? SADDLES[kind] : CASES[kind];
      crossed.forEach((edge, k) => {
        const [ax, ay, bx, by] = EDGES[edge];
        const [a, b] = [at(ax, ay), at(bx, by)];
        const t = (level - a) / (b - a);
        const [x0, y0] = [area.x(x[i + ax]), area.y(y[j + ay])];
        const [x1, y1] = [area.x(x[i + bx]), area.y(y[j + by])];
        path += `${k % 2 === 0 ? 'M' : 'L'}${px(x0 + t * (x1 - x0))} ${px(y0 + t * (y1 - y0))}`;
      });
    }
  }
  return path;
}
