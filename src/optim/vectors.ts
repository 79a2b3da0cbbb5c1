/** Arithmetic of the full-batch methods: dense float64 vectors and small matrices on the host. */
export type Vector = Float64Array;

export function dot(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** a + s·b, a new vector. */
export function plus(a: Vector, s: number, b: Vector): Vector {
  return a.map((x, i) => x + s * b[i]);
}

export const scaled = (s: number, a: Vector): Vector => a.map((x) => s * x);

/** Greatest absolute element; NaN when one is. */
export function greatest(a: Vector): number {
  let most = 0;
  for (const x of a) most = Math.max(most, Math.abs(x));
  return most;
}

/**
 * x with (A + shift·I) x = b by Cholesky, A symmetric [n, n]; null when that matrix is not positive definite to working
 * precision.
 */
export function solveShifted(a: Vector, shift: number, b: Vector): Vector | null {
  const n = b.length;
  const l = new Float64Array(n * n);
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(a[i * n + i] + shift));
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = a[i * n + j] + (i === j ? shift : 0);
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      if (i > j) l[i * n + j] = sum / l[j * n + j];
      else if (sum > n * 2 ** -52 * largest) l[j * n + j] = Math.sqrt(sum);
      else return null;
    }
  }
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= l[i * n + k] * x[k];
    x[i] /= l[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= l[k * n + i] * x[k];
    x[i] /= l[i * n + i];
  }
  return x;
}
