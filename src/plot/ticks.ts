/** Round axis values that cover [low, high]: the outer ones become the ends of the axis. */
export interface Ticks {
  readonly values: readonly number[];
  readonly labels: readonly string[];
}

/**
 * About `count` round values (1, 2 or 5 times a power of ten apart) that cover [low, high].
 * @param whole only whole numbers, for epochs and steps.
 * Source: Heckbert, "Nice numbers for graph labels", Graphics Gems (1990).
 */
export function niceTicks(low: number, high: number, count = 5, whole = false): Ticks {
  let span = high - low;
  if (span <= Math.max(Math.abs(low) * 1e-12, Math.abs(high) * 1e-12, 1e-290)) {
    // A flat line still needs an axis around it.
    const margin = whole ? 1 : Math.max(Math.abs(low) * 0.1, 1e-3);
    low -= margin;
    high += margin;
    span = high - low;
  }
  const step = whole ? Math.max(1, niceNumber(span / count)) : niceNumber(span / count);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const values = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return { values, labels: values.map((v) => tickLabel(v, step)) };
}

/** The smallest of 1, 2, 5 times a power of ten that is not below x. */
function niceNumber(x: number): number {
  const power = 10 ** Math.floor(Math.log10(x));
  const fraction = x / power;
  const tolerance = 1 + 1e-9;
  if (fraction <= tolerance) return power;
  if (fraction <= 2 * tolerance) return 2 * power;
  return fraction <= 5 * tolerance ? 5 * power : 10 * power;
}

function tickLabel(value: number, step: number): string {
  if (Math.abs(value) < step / 2) return '0';
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  if (Math.abs(value) >= 1e6 || decimals > 5) {
    // As many digits as tell two neighbouring ticks apart.
    const digits = Math.floor(Math.log10(Math.abs(value)) + 1e-9) - Math.floor(Math.log10(step) + 1e-9);
    return value.toExponential(Math.max(0, Math.min(digits, 15))).replace('e+', 'e');
  }
  return value.toFixed(decimals);
}
