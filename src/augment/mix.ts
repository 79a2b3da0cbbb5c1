import { PictureDraws } from './draws.js';
import type { Pixels } from './painter.js';
import type { MixStep, PaintPlan, Size } from './steps.js';

/** How the pictures of one batch are blended. */
export interface Mix {
  /** Share of the picture's own label. */
  readonly share: number;
  /** The box that comes from the other picture; null: everything is averaged with {@link share}. */
  readonly box: { readonly left: number; readonly top: number; readonly right: number; readonly bottom: number } | null;
}

/** The blend of the batch that begins with picture `number` of its pass; one of several steps is drawn, each as likely. null: none this time. */
export function drawMix(
  steps: readonly MixStep[],
  key: PaintPlan['key'],
  pass: number,
  number: number,
  [height, width]: Size,
): Mix | null {
  const draws = new PictureDraws(key, 'batch').of(pass, number);
  const step = steps.length === 1 ? steps[0] : steps[draws.below(steps.length)];
  if (!draws.chance(step.probability)) return null;
  const share = draws.beta(step.alpha);
  if (step.kind === 'mixup') return { share, box: null };
  const half = 0.5 * Math.sqrt(1 - share);
  const [x, y] = [draws.below(width), draws.below(height)];
  const left = Math.max(0, Math.round(x - half * width));
  const top = Math.max(0, Math.round(y - half * height));
  const right = Math.min(width, Math.round(x + half * width));
  const bottom = Math.min(height, Math.round(y + half * height));
  const kept = 1 - ((right - left) * (bottom - top)) / (width * height);
  return { share: kept, box: { left, top, right, bottom } };
}

/** The picture that picture `i` of the batch begin … stop − 1 is blended with: the one before it. */
export function partnerOf(i: number, begin: number, stop: number): number {
  return i === begin ? stop - 1 : i - 1;
}

/** Blends the picture at `at` of `own` with the one at `start` of `other`, in place. */
export function blendPictures(
  { share, box }: Mix,
  own: Pixels,
  at: number,
  other: Pixels,
  start: number,
  [height, width]: Size,
  each: number,
): void {
  if (box === null) {
    const half = own instanceof Uint8Array ? 0.5 : 0; // bytes are rounded
    for (let i = 0; i < each; i++) own[at + i] = share * own[at + i] + (1 - share) * other[start + i] + half;
    return;
  }
  const channels = each / (height * width);
  for (let y = box.top; y < box.bottom; y++) {
    for (let i = (y * width + box.left) * channels; i < (y * width + box.right) * channels; i++) {
      own[at + i] = other[start + i];
    }
  }
}

/** Labels of one batch as shares of classes `[n, classes]`, blended as its pictures are. */
export function blendLabels(
  mix: Mix | null,
  labels: ArrayLike<number>,
  start: number,
  count: number,
  classes: number,
  out: Float32Array,
): void {
  const share = mix?.share ?? 1;
  for (let i = start; i < start + count; i++) {
    out[i * classes + labels[i]] += share;
    out[i * classes + labels[partnerOf(i, start, start + count)]] += 1 - share;
  }
}
