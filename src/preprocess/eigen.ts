import { DataError } from '../core.js';

/**
 * Eigenvalues and eigenvectors of a symmetric matrix: Householder to tridiagonal form, then QL with implicit shifts.
 *
 * @param a `[d, d]` row by row, symmetric; not changed.
 * @returns eigenvalues from large to small, and the unit eigenvector of each as a row of `vectors`.
 * @throws DataError when the iteration does not converge, which finite matrices are not known to do.
 * @see Bowdler, Martin, Reinsch and Wilkinson (1968), The QR and QL algorithms for symmetric matrices: tred2 and tql2.
 */
export function symmetricEigen(a: Float64Array, d: number): { values: Float64Array; vectors: Float64Array } {
  const v = a.slice();
  const diagonal = new Float64Array(d);
  const off = new Float64Array(d);
  tridiagonalize(v, diagonal, off, d);
  diagonalize(v, diagonal, off, d);
  const order = Array.from(diagonal.keys()).sort((i, j) => diagonal[j] - diagonal[i]);
  const vectors = new Float64Array(d * d);
  order.forEach((column, row) => {
    for (let i = 0; i < d; i++) vectors[row * d + i] = v[i * d + column];
  });
  return { values: Float64Array.from(order, (column) => diagonal[column]), vectors };
}

function tridiagonalize(v: Float64Array, diag: Float64Array, off: Float64Array, n: number): void {
  for (let j = 0; j < n; j++) diag[j] = v[(n - 1) * n + j];
  for (let i = n - 1; i > 0; i--) {
    let scale = 0;
    let h = 0;
    for (let k = 0; k < i; k++) scale += Math.abs(diag[k]);
    if (scale === 0) {
      off[i] = diag[i - 1];
      for (let j = 0; j < i; j++) {
        diag[j] = v[(i - 1) * n + j];
        v[i * n + j] = 0;
        v[j * n + i] = 0;
      }
    } else {
      for (let k = 0; k < i; k++) {
        diag[k] /= scale;
        h += diag[k] * diag[k];
      }
      let f = diag[i - 1];
      let g = f > 0 ? -Math.sqrt(h) : Math.sqrt(h);
      off[i] = scale * g;
      h -= f * g;
      diag[i - 1] = f - g;
      off.fill(0, 0, i);
      for (let j = 0; j < i; j++) {
        f = diag[j];
        v[j * n + i] = f;
        g = off[j] + v[j * n + j] * f;
        for (let k = j + 1; k < i; k++) {
          g += v[k * n + j] * diag[k];
          off[k] += v[k * n + j] * f;
        }
        off[j] = g;
      }
      f = 0;
      for (let j = 0; j < i; j++) {
        off[j] /= h;
        f += off[j] * diag[j];
      }
      const hh = f / (h + h);
      for (let j = 0; j < i; j++) off[j] -= hh * diag[j];
      for (let j = 0; j < i; j++) {
        f = diag[j];
        g = off[j];
        for (let k = j; k < i; k++) v[k * n + j] -= f * off[k] + g * diag[k];
        diag[j] = v[(i - 1) * n + j];
        v[i * n + j] = 0;
      }
    }
    diag[i] = h;
  }
  accumulate(v, diag, n);
  for (let j = 0; j < n; j++) {
    diag[j] = v[(n - 1) * n + j];
    v[(n - 1) * n + j] = 0;
  }
  v[n * n - 1] = 1;
  off[0] = 0;
}

/** Multiplies the reflections together. */
function accumulate(v: Float64Array, diag: Float64Array, n: number): void {
  for (let i = 0; i < n - 1; i++) {
    v[(n - 1) * n + i] = v[i * n + i];
    v[i * n + i] = 1;
    const h = diag[i + 1];
    if (h !== 0) {
      for (let k = 0; k <= i; k++) diag[k] = v[k * n + i + 1] / h;
      for (let j = 0; j <= i; j++) {
        let g = 0;
        for (let k = 0; k <= i; k++) g += v[k * n + i + 1] * v[k * n + j];
        for (let k = 0; k <= i; k++) v[k * n + j] -= g * diag[k];
      }
    }
    for (let k = 0; k <= i; k++) v[k * n + i + 1] = 0;
  }
}

function diagonalize(v: Float64Array, diag: Float64Array, off: Float64Array, n: number): void {
  off.copyWithin(0, 1);
  off[n - 1] = 0;
  let f = 0;
  let largest = 0;
  for (let l = 0; l < n; l++) {
    largest = Math.max(largest, Math.abs(diag[l]) + Math.abs(off[l]));
    let m = l;
    while (m < n - 1 && Math.abs(off[m]) > Number.EPSILON * largest) m++;
    if (m > l) {
      let rounds = 0;
      do {
        if (++rounds > MAX_ROUNDS)
          throw new DataError('PCA: the eigenvalues do not converge; scale the features first');
        let g = diag[l];
        let p = (diag[l + 1] - g) / (2 * off[l]);
        let r = Math.hypot(p, 1);
        if (p < 0) r = -r;
        diag[l] = off[l] / (p + r);
        diag[l + 1] = off[l] * (p + r);
        const next = diag[l + 1];
        let h = g - diag[l];
        for (let i = l + 2; i < n; i++) diag[i] -= h;
        f += h;
        p = diag[m];
        let [c, c2, c3, s, s2] = [1, 1, 1, 0, 0];
        const e1 = off[l + 1];
        for (let i = m - 1; i >= l; i--) {
          c3 = c2;
          c2 = c;
          s2 = s;
          g = c * off[i];
          h = c * p;
          r = Math.hypot(p, off[i]);
          off[i + 1] = s * r;
          s = off[i] / r;
          c = p / r;
          p = c * diag[i] - s * g;
          diag[i + 1] = h + s * (c * g + s * diag[i]);
          for (let k = 0; k < n; k++) {
            const at = k * n + i;
            h = v[at + 1];
            v[at + 1] = s * v[at] + c * h;
            v[at] = c * v[at] - s * h;
          }
        }
        p = (-s * s2 * c3 * e1 * off[l]) / next;
        off[l] = s * p;
        diag[l] = c * p;
      } while (Math.abs(off[l]) > Number.EPSILON * largest);
    }
    diag[l] += f;
    off[l] = 0;
  }
}

/** Two or three rounds an eigenvalue are usual; LAPACK gives up after 30. */
const MAX_ROUNDS = 100;
