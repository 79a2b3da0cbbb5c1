import type { PictureDraws } from './draws.js';
import type { Field } from './field.js';
import type { Mapping } from './resample.js';
import { type GeometricStep, type Range, type Size, sizeAfter } from './steps.js';

/** Neighbouring geometric steps, at most one of them elastic, with its field. */
export interface Geometry {
  readonly steps: readonly GeometricStep[];
  readonly from: Size;
  readonly to: Size;
  readonly field: Field | null;
}

export function emptyMapping(): Mapping {
  return { a: 1, b: 0, c: 0, d: 0, e: 1, f: 0, field: null, ux: 0, uy: 0, vx: 0, vy: 0, p: 0, q: 0, r: 0, s: 0 };
}

/**
 * Draws what the steps do to one picture and joins it in one mapping from pixels of the result to positions of the source.
 * Angles turn counter-clockwise; centres are those of the picture. The field of an elastic step lies on the grid of the result.
 * @returns false when nothing moves.
 */
export function drawMapping(geometry: Geometry, draws: PictureDraws, map: Mapping): boolean {
  map.a = map.e = 1;
  map.b = map.c = map.d = map.f = 0;
  map.field = null;
  let moved = geometry.from[0] !== geometry.to[0] || geometry.from[1] !== geometry.to[1];
  let size = geometry.from;
  for (const step of geometry.steps) {
    moved = drawStep(step, size, geometry.field, draws, map) || moved;
    size = sizeAfter(step, size);
  }
  return moved;
}

function drawStep(step: GeometricStep, size: Size, field: Field | null, draws: PictureDraws, map: Mapping): boolean {
  const [height, width] = size;
  if ('probability' in step && !draws.chance(step.probability)) return false;
  switch (step.kind) {
    case 'rotate': {
      const angle = (draws.within(step.degrees) * Math.PI) / 180;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
      about(map, size, cos, -sin, sin, cos);
      return true;
    }
    case 'shift': {
      then(map, 1, 0, -width * draws.within(step.x), 0, 1, -height * draws.within(step.y));
      return true;
    }
    case 'zoom': {
      const x = draws.within(step.x);
      const y = step.y === null ? x : draws.within(step.y);
      about(map, size, 1 / x, 0, 0, 1 / y);
      return true;
    }
    case 'shear': {
      const x = Math.tan((draws.within(step.x) * Math.PI) / 180);
      const y = Math.tan((draws.within(step.y) * Math.PI) / 180);
      about(map, size, 1, -x, -y, 1 + x * y); // the inverse of first y, then x
      return true;
    }
    case 'flip': {
      const x = draws.chance(step.horizontal);
      const y = draws.chance(step.vertical);
      if (!x && !y) return false;
      then(map, x ? -1 : 1, 0, x ? width - 1 : 0, 0, y ? -1 : 1, y ? height - 1 : 0);
      return true;
    }
    case 'crop': {
      const [h, w] = step.size ?? size;
      const x = draws.below(width + 2 * step.padding - w + 1) - step.padding;
      const y = draws.below(height + 2 * step.padding - h + 1) - step.padding;
      then(map, 1, 0, x, 0, 1, y);
      return x !== 0 || y !== 0;
    }
    case 'resizedCrop': {
      const { x, y, w, h } = drawBox(step.area, step.ratio, size, draws) ?? centred(step.ratio, size);
      const [scaleY, scaleX] = [h / step.size[0], w / step.size[1]];
      then(map, scaleX, 0, x + scaleX / 2 - 0.5, 0, scaleY, y + scaleY / 2 - 0.5);
      return true;
    }
    case 'elastic': {
      const side = (field as Field).side;
      map.field = field;
      map.ux = draws.below(side);
      map.uy = draws.below(side);
      map.vx = draws.below(side);
      map.vy = draws.below(side);
      map.p = map.a * step.alpha;
      map.q = map.b * step.alpha;
      map.r = map.d * step.alpha;
      map.s = map.e * step.alpha;
      return true;
    }
    default:
      return step satisfies never;
  }
}

/** Applies x ← a·x + b·y + c, y ← d·x + e·y + f before what the mapping does. */
function then(map: Mapping, a: number, b: number, c: number, d: number, e: number, f: number): void {
  const { a: p, b: q, d: r, e: s } = map;
  map.c += p * c + q * f;
  map.f += r * c + s * f;
  map.a = p * a + q * d;
  map.b = p * b + q * e;
  map.d = r * a + s * d;
  map.e = r * b + s * e;
}

/** {@link then} with a matrix that leaves the centre where it is. */
function about(map: Mapping, [height, width]: Size, a: number, b: number, d: number, e: number): void {
  const [x, y] = [(width - 1) / 2, (height - 1) / 2];
  then(map, a, b, x - a * x - b * y, d, e, y - d * x - e * y);
}

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

const TRIES = 10;

/**
 * A box inside the picture with a share of its area and a ratio of width to height (uniform in its logarithm), as torchvision
 * draws it; null when none of ten fits.
 */
export function drawBox(area: Range, ratio: Range, [height, width]: Size, draws: PictureDraws): Box | null {
  for (let i = 0; i < TRIES; i++) {
    const pixels = height * width * draws.within(area);
    const shape = Math.exp(draws.within([Math.log(ratio[0]), Math.log(ratio[1])]));
    const w = Math.round(Math.sqrt(pixels * shape));
    const h = Math.round(Math.sqrt(pixels / shape));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    return { x: draws.below(width - w + 1), y: draws.below(height - h + 1), w, h };
  }
  return null;
}

/** The largest box in the middle whose ratio is allowed. */
function centred([low, high]: Range, [height, width]: Size): Box {
  const is = width / height;
  const w = is > high ? Math.max(1, Math.round(height * high)) : width;
  const h = is < low ? Math.max(1, Math.round(width / low)) : height;
  return { x: Math.floor((width - w) / 2), y: Math.floor((height - h) / 2), w, h };
}
