export { type ApplyOptions, Augmentation, type ComposeOptions, type StudioOptions } from './augmentation.js';
export type { Amount, ChanceOptions } from './check.js';
export {
  brightness,
  type CutoutOptions,
  contrast,
  cutout,
  type EraseOptions,
  erase,
  noise,
  saturation,
} from './colour.js';
export { compose } from './compose.js';
export {
  type CropOptions,
  crop,
  type ElasticOptions,
  elastic,
  type FlipOptions,
  flip,
  type ResizedCropOptions,
  resizedCrop,
  rotate,
  type ShearOptions,
  type ShiftAmounts,
  shear,
  shift,
  type ZoomOptions,
  zoom,
} from './geometric.js';
export { cutmix, type MixOptions, mixup } from './mixing.js';
export type { Pixels } from './painter.js';
export { type PreviewOptions, preview } from './preview.js';
export type { Fill, Range, Size } from './steps.js';
export { type Sitting, Studio } from './studio.js';
