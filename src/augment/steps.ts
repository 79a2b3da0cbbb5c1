import type { Shape } from '../shape.js';

export type Range = readonly [low: number, high: number];

/** Moves pixels. Neighbouring ones become one pass of resampling. */
export type GeometricStep =
  | { readonly kind: 'rotate'; readonly probability: number; readonly degrees: Range }
  | { readonly kind: 'shift'; readonly probability: number; readonly x: Range; readonly y: Range }
  | { readonly kind: 'zoom'; readonly probability: number; readonly x: Range; readonly y: Range | null }
  | { readonly kind: 'shear'; readonly probability: number; readonly x: Range; readonly y: Range }
  | { readonly kind: 'flip'; readonly horizontal: number; readonly vertical: number }
  | { readonly kind: 'crop'; readonly size: Size | null; readonly padding: number }
  | { readonly kind: 'resizedCrop'; readonly size: Size; readonly area: Range; readonly ratio: Range }
  | { readonly kind: 'elastic'; readonly probability: number; readonly alpha: number; readonly sigma: number };

/** Changes values where they are. */
export type PixelStep =
  | {
      readonly kind: 'brightness' | 'contrast' | 'saturation';
      readonly probability: number;
      readonly factor: Range;
    }
  | { readonly kind: 'noise'; readonly probability: number; readonly std: number }
  | {
      readonly kind: 'erase';
      readonly probability: number;
      readonly area: Range;
      readonly ratio: Range;
      readonly value: number | 'random';
    }
  | { readonly kind: 'cutout'; readonly probability: number; readonly size: number; readonly value: number };

/** Blends each picture of a batch with another one of it, and the labels likewise. */
export interface MixStep {
  readonly kind: 'mixup' | 'cutmix';
  readonly probability: number;
  readonly alpha: number;
  readonly classes: number | null;
}

/** One step of an augmentation as plain data, which crosses to worker threads. */
export type Step = GeometricStep | PixelStep | MixStep;

export type Size = readonly [height: number, width: number];

const GEOMETRIC: ReadonlySet<string> = new Set([
  'rotate',
  'shift',
  'zoom',
  'shear',
  'flip',
  'crop',
  'resizedCrop',
  'elastic',
] satisfies GeometricStep['kind'][]);

export function isGeometric(step: Step): step is GeometricStep {
  return GEOMETRIC.has(step.kind);
}

export function isMix(step: Step): step is MixStep {
  return step.kind === 'mixup' || step.kind === 'cutmix';
}

/** Size of the picture after a step. */
export function sizeAfter(step: Step, size: Size): Size {
  if (step.kind === 'resizedCrop') return step.size;
  return step.kind === 'crop' && step.size !== null ? step.size : size;
}

/** What pixels outside a picture are: a value, the nearest pixel of the edge, or the picture mirrored at it. */
export type Fill = number | 'nearest' | 'reflect';

/** Everything a painter needs, as plain data. */
export interface PaintPlan {
  readonly steps: readonly Step[];
  /** `[height, width, channels]` of the pictures that come in. */
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly dtype: 'uint8' | 'float32';
  readonly fill: Fill;
  /** Values of black and white; what changes values keeps them inside. */
  readonly range: Range;
  /** Key of the random stream. */
  readonly key: readonly [number, number];
}

/** `[height, width, channels]` after all steps. */
export function shapeAfter(steps: readonly Step[], [height, width, channels]: Shape): [number, number, number] {
  let size: Size = [height, width];
  for (const step of steps) size = sizeAfter(step, size);
  return [size[0], size[1], channels];
}
