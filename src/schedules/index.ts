export type { Schedule } from './check.js';
export {
  type CosineOptions,
  cosine,
  type LinearWarmupOptions,
  linearWarmup,
  type OneCycleOptions,
  oneCycle,
  perEpoch,
  type WarmRestartsOptions,
  warmRestarts,
} from './cyclic.js';
export {
  constant,
  type ExponentialOptions,
  exponential,
  inverseTime,
  type MultiStepOptions,
  multiStep,
  type PolynomialOptions,
  polynomial,
  type StepOptions,
  step,
} from './decay.js';
export { type Plateau, type PlateauOptions, type PlateauState, reduceOnPlateau } from './plateau.js';
