/** Stable machine-readable reason of a {@link NeuriteError}. */
export type ErrorCode =
  | 'ERR_SHAPE'
  | 'ERR_DTYPE'
  | 'ERR_GRAD'
  | 'ERR_TRACE'
  | 'ERR_STALE'
  | 'ERR_BUSY'
  | 'ERR_DEVICE'
  | 'ERR_DATA'
  | 'ERR_FORMAT'
  | 'ERR_OPTION';

/** Base of every error Neurite throws on purpose; `code` is stable, the message is for people. */
export class NeuriteError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** Shapes that do not fit the operation or layer. */
export class ShapeError extends NeuriteError {
  constructor(message: string) {
    super('ERR_SHAPE', message);
  }
}

/** A dtype that the operation does not take, or two that do not mix. */
export class DTypeError extends NeuriteError {
  constructor(message: string) {
    super('ERR_DTYPE', message);
  }
}

/** Something that has no gradient, or a gradient asked for in the wrong way. */
export class GradError extends NeuriteError {
  constructor(message: string) {
    super('ERR_GRAD', message);
  }
}

/** A value was needed, or leaked out, while `compile` was tracing. */
export class TraceError extends NeuriteError {
  constructor(message: string) {
    super('ERR_TRACE', message);
  }
}

/** A lazy tensor needs a parameter value that has been overwritten since. */
export class StaleError extends NeuriteError {
  constructor(message: string) {
    super('ERR_STALE', message);
  }
}

/** Host write to memory that a queued run still uses. */
export class BusyError extends NeuriteError {
  constructor(message: string) {
    super('ERR_BUSY', message);
  }
}

/** The native addon, instruction set or device is not usable. */
export class DeviceError extends NeuriteError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_DEVICE', message, options);
  }
}

/** Values that the computation cannot use: labels out of range, NaN, an empty data set. */
export class DataError extends NeuriteError {
  /** Where a run stopped, when it was stopped by one. */
  declare readonly at?: RunLocation;
  constructor(message: string, at?: RunLocation, options?: ErrorOptions) {
    super('ERR_DATA', message, options);
    if (at !== undefined) this.at = at;
  }
}

/** The operation that stopped a run, the step of the scan (0 = first), the element and its value. */
export interface RunLocation {
  readonly op: string;
  readonly module: string;
  readonly step: number;
  readonly position: number;
  readonly value: number;
}

/** A file that is not what it claims to be. */
export class FormatError extends NeuriteError {
  constructor(message: string) {
    super('ERR_FORMAT', message);
  }
}

/** An option outside its range, or a name nobody knows. */
export class OptionError extends NeuriteError {
  constructor(message: string) {
    super('ERR_OPTION', message);
  }
}

/** The entry of `known` closest to `given` by edit distance, as ` Did you mean "x"?`, or '' when nothing is close. */
export function didYouMean(given: string, known: readonly string[]): string {
  let best = '';
  let bestDistance = Math.max(2, Math.floor(given.length / 2)) + 1;
  for (const name of known) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best === '' ? '' : ` Did you mean "${best}"?`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
