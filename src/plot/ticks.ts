/** Round axis values that cover [low, high]: the outer ones become the ends of the axis. */
export interface Ticks {
  readonly values: readonly number[];
  readonly labels: readonly string[];
  /** Ends of the axis when they are not the outer values. */
  readonly ends?: readonly [number, number];
}

/**
 * About `count` round values (1, 2 or 5 times a power of ten apart) that cover [low, high].
 * @param whole only whole numbers, for epochs and steps.
 * Source: Heckbert, "Nice numbers for graph labels", Graphics Gems (1990).
 */
export function niceTicks(low: number, high: number, count = 5, whole = false): Ticks {
  [low, high] = widened(low, high, whole);
  const span = high - low;
  const step = whole ? Math.max(1, niceNumber(span / count)) : niceNumber(span / count);
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  const values = Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
  return { values, labels: values.map((v) => tickLabel(v, step)) };
}

/** A flat line still needs an axis around it. */
export function widened(low: number, high: number, whole = false): [number, number] {
  if (high - low > Math.max(Math.abs(low) * 1e-12, Math.abs(high) * 1e-12, 1e-290)) return [low, high];
  const margin = whole ? 1 : Math.max(Math.abs(low) * 0.1, 1e-3);
  return [low - margin, high + margin];
}

/**
 * Powers of ten that cover [low, high], and 2 and 5 times them when there are fewer than three decades; every second,
 * fifth, … power when they are many.
 * @param low > 0.
 */
export function logTicks(low: number, high: number, count = 5): Ticks {
  const slack = 1e-9;
  const first = Math.floor(Math.log10(low) + slack);
  const last = Math.max(first + 1, Math.ceil(Math.log10(high) - slack));
  if (last - first <= 2 && count >= 3) {
    const values: number[] = [];
    for (let e = first; e <= last; e++) for (const m of [1, 2, 5]) values.push(m * powerOfTen(e));
    // From the last value not above low to the first not below high.
    const from = values.findLastIndex((v) => v <= low * (1 + slack));
    const to = values.findIndex((v) => v >= high * (1 - slack));
    const kept = values.slice(Math.max(0, from), to < 0 ? undefined : Math.max(to, from + 1) + 1);
    return { values: kept, labels: kept.map(logLabel) };
  }
  const every = Math.min(last - first, Math.max(1, Math.ceil(niceNumber((last - first) / Math.max(1, count)))));
  let start = Math.ceil(first / every) * every;
  if (start + every > last) start = first;
  const values: number[] = [];
  for (let e = start; e <= last; e += every) values.push(powerOfTen(e));
  return { values, labels: values.map(logLabel), ends: [powerOfTen(first), powerOfTen(last)] };
}

/** 10 ** -5 is not the double nearest to 1e-5; the end of the doubles is the end of the axis. */
function powerOfTen(e: number): number {
  return Math.max(Number.MIN_VALUE, Math.min(Number(`1e${e}`), Number.MAX_VALUE));
}

function logLabel(v: number): string {
  return v >= 0.0099 && v < 1e5 ? String(Number(v.toPrecision(3))) : shortNumber(v);
}

/** `1.5e7`, `0.02`, `1234`: a number in a label, with at most `digits` significant digits. */
export function shortNumber(v: number, digits = 3): string {
  if (!Number.isFinite(v)) return Number.isNaN(v) ? 'NaN' : v > 0 ? '∞' : '−∞';
  if (v === 0) return '0';
  const size = Math.abs(v);
  if (size >= 1e5 || size < 1e-3) return String(Number(v.toPrecision(digits)).toExponential()).replace('e+', 'e');
  return size >= 10 ** digits ? String(Math.round(v)) : String(Number(v.toPrecision(digits)));
}

/** The smallest of 1, 2, 5, 10, 20, … that is not below x: every how manieth label is shown. */
export function niceEvery(x: number): number {
  return niceNumber(Math.max(1, Math.ceil(x)));
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
