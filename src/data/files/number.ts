/** Powers of ten that float64 holds exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
const MAX_EXACT = 2 ** 53;

/**
 * The number that bytes [start, end) spell in decimal, with spaces around it: the float64 that is nearest, as `Number` gives
 * it; NaN when they spell none. Up to 15 digits with a small exponent need one multiplication or division of exact numbers,
 * which rounds once and so rightly; `Number` does the others.
 * Source: Clinger, "How to read floating point numbers accurately" (1990), the fast path.
 */
export function parseNumber(bytes: Uint8Array, start: number, end: number): number {
  let i = start;
  let stop = end;
  while (i < stop && (bytes[i] === 32 || bytes[i] === 9)) i++;
  while (stop > i && (bytes[stop - 1] === 32 || bytes[stop - 1] === 9)) stop--;
  const first = i;
  let negative = false;
  if (bytes[i] === 45 || bytes[i] === 43) {
    negative = bytes[i] === 45;
    i++;
  }
  let digits = 0;
  let mantissa = 0;
  let scale = 0;
  let d = 0;
  for (; i < stop; i++, digits++) {
    d = bytes[i] - 48;
    if (d < 0 || d > 9) break;
    mantissa = mantissa * 10 + d;
  }
  if (i < stop && bytes[i] === 46) {
    i++;
    const point = i;
    for (; i < stop; i++, digits++) {
      d = bytes[i] - 48;
      if (d < 0 || d > 9) break;
      mantissa = mantissa * 10 + d;
    }
    scale = point - i;
  }
  if (digits === 0) return special(bytes, first, stop);
  if (i < stop) {
    if (bytes[i] !== 101 && bytes[i] !== 69) return Number.NaN;
    return exponent(bytes, first, i, stop);
  }
  if (mantissa >= MAX_EXACT || scale < -22) return byNumber(bytes, first, stop);
  const value = scale === 0 ? mantissa : mantissa / POWERS[-scale];
  return negative ? -value : value;
}

/** `[first, at)` is a decimal and an e follows. */
function exponent(bytes: Uint8Array, first: number, at: number, stop: number): number {
  let i = at + 1;
  if (i < stop && (bytes[i] === 45 || bytes[i] === 43)) i++;
  if (i === stop) return Number.NaN;
  for (; i < stop; i++) if (bytes[i] < 48 || bytes[i] > 57) return Number.NaN;
  return byNumber(bytes, first, stop);
}

function byNumber(bytes: Uint8Array, start: number, stop: number): number {
  let text = '';
  for (let i = start; i < stop; i++) text += String.fromCharCode(bytes[i]);
  return Number(text);
}

/** inf and infinity with a sign, in any case; everything else is no number. */
function special(bytes: Uint8Array, start: number, stop: number): number {
  if (stop - start > 9) return Number.NaN;
  let text = '';
  for (let i = start; i < stop; i++) text += String.fromCharCode(bytes[i]).toLowerCase();
  const match = /^([+-]?)inf(inity)?$/.exec(text);
  if (match === null) return Number.NaN;
  return match[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}
