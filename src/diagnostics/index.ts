export { type DiagnoseOptions, diagnose } from './diagnose.js';
export {
  type ClassChoice,
  featureMaps,
  filters,
  type GradCamOptions,
  gradCam,
  type LayerChoice,
  type Misclassified,
  type MisclassifiedOptions,
  misclassified,
  type Pictures,
  type SaliencyOptions,
  type SmoothOptions,
  saliency,
} from './look.js';
export {
  featureSheet,
  filterSheet,
  gradCamSheet,
  misclassifiedSheet,
  type NamedSheetOptions,
  type SheetOptions,
  saliencySheet,
} from './look-draw.js';
export { type LossPlane, type LossPlaneOptions, lossPlane } from './loss-plane.js';
export type { ActivationFigures, Measurements, ParameterFigures } from './measure.js';
export { Monitor, type MonitorOptions } from './monitor.js';
export { Diagnosis } from './report.js';
export { type Epochs, type FitKind, type FitVerdict, type VerdictOptions, verdict } from './verdict.js';
export type { DiagnosticWarning, Thresholds, WarningKind } from './warnings.js';
