import type { PictureDraws } from './draws.js';
import { drawBox } from './geometry.js';
import type { PixelStep, Range } from './steps.js';

type PictureShape = readonly [height: number, width: number, channels: number];

/** Rec. 601, as torchvision weighs red, green and blue. */
const LUMA = [0.2989, 0.587, 0.114] as const;

/** Does a step to the values of one picture `[height, width, channels]`, in place. */
export function changePixels(
  step: PixelStep,
  picture: Float32Array,
  shape: PictureShape,
  range: Range,
  draws: PictureDraws,
): void {
  if (!draws.chance(step.probability)) return;
  const [height, width, channels] = shape;
  const n = height * width * channels;
  const [low, high] = range;
  switch (step.kind) {
    case 'brightness':
      scale(picture, n, range, draws.within(step.factor), low);
      break;
    case 'contrast':
      scale(picture, n, range, draws.within(step.factor), meanGrey(picture, n, channels));
      break;
    case 'saturation':
      saturate(picture, n, range, draws.within(step.factor));
      break;
    case 'noise': {
      const std = step.std * (high - low);
      for (let i = 0; i < n; i++) picture[i] = clamp(picture[i] + std * draws.normal(), low, high);
      break;
    }
    case 'erase': {
      const box = drawBox(step.area, step.ratio, [height, width], draws);
      if (box === null) break;
      const { value } = step;
      const next = value === 'random' ? () => draws.within(range) : () => value;
      fill(picture, shape, box.x, box.y, box.x + box.w, box.y + box.h, next);
      break;
    }
    case 'cutout': {
      const x = draws.below(width) - Math.floor(step.size / 2);
      const y = draws.below(height) - Math.floor(step.size / 2);
      fill(picture, shape, x, y, x + step.size, y + step.size, () => step.value);
      break;
    }
    default:
      step satisfies never;
  }
}

/** pivot + factor·(value − pivot), kept in the range. */
function scale(picture: Float32Array, n: number, [low, high]: Range, factor: number, pivot: number): void {
  for (let i = 0; i < n; i++) picture[i] = clamp(pivot + factor * (picture[i] - pivot), low, high);
}

/** The same for each pixel about its own grey. */
function saturate(picture: Float32Array, n: number, [low, high]: Range, factor: number): void {
  for (let i = 0; i < n; i += 3) {
    const grey = LUMA[0] * picture[i] + LUMA[1] * picture[i + 1] + LUMA[2] * picture[i + 2];
    for (let k = i; k < i + 3; k++) picture[k] = clamp(grey + factor * (picture[k] - grey), low, high);
  }
}

function meanGrey(picture: Float32Array, n: number, channels: number): number {
  let sum = 0;
  if (channels === 3) {
    for (let i = 0; i < n; i += 3) {
      sum += LUMA[0] * picture[i] + LUMA[1] * picture[i + 1] + LUMA[2] * picture[i + 2];
    }
    return (3 * sum) / n;
  }
  for (let i = 0; i < n; i++) sum += picture[i];
  return sum / n;
}

function clamp(v: number, low: number, high: number): number {
  return v < low ? low : v > high ? high : v;
}

/** Gives the pixels of a box, as far as it lies in the picture, values. */
function fill(
  picture: Float32Array,
  [height, width, channels]: PictureShape,
  left: number,
  top: number,
  right: number,
  bottom: number,
  next: () => number,
): void {
  const [x0, x1] = [Math.max(0, left), Math.min(width, right)];
  for (let y = Math.max(0, top); y < Math.min(height, bottom); y++) {
    for (let i = (y * width + x0) * channels; i < (y * width + x1) * channels; i++) picture[i] = next();
  }
}
