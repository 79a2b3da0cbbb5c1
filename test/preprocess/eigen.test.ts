import { describe, expect, it } from 'vitest';
import { Draws, preprocess } from '../../src/index.js';
import { symmetricEigen } from '../../src/preprocess/eigen.js';

/** V·diag(λ)·Vᵀ from an orthogonal V made of reflections. */
function withEigenvalues(values: number[], seed: number): Float64Array {
  const d = values.length;
  const random = new Draws('test', seed);
  let a = Float64Array.from({ length: d * d }, (_, i) => (i % (d + 1) === 0 ? values[i / (d + 1)] : 0));
  for (let r = 0; r < 4; r++) {
    const u = Array.from({ length: d }, () => random.normal());
    const norm = u.reduce((s, v) => s + v * v, 0);
    const h = (i: number, j: number) => (i === j ? 1 : 0) - (2 * u[i] * u[j]) / norm;
    const half = Float64Array.from({ length: d * d }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += h(Math.floor(at / d), k) * a[k * d + (at % d)];
      return sum;
    });
    a = Float64Array.from({ length: d * d }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < d; k++) sum += half[Math.floor(at / d) * d + k] * h(k, at % d);
      return sum;
    });
  }
  for (let i = 0; i < d; i++) for (let j = 0; j < i; j++) a[j * d + i] = a[i * d + j];
  return a;
}

describe('symmetricEigen', () => {
  it.each([
    ['distinct', [9, 5, 2, 1, 0.5, -3]],
    ['repeated and zero', [4, 4, 4, 1, 0, 0, 0, -2]],
    ['of very different size', [1e12, 1e3, 1, 1e-6]],
    ['many', Array.from({ length: 50 }, (_, i) => 50 - i)],
    ['one', [7]],
  ])('finds eigenvalues that are %s', (_, values) => {
    const d = values.length;
    const a = withEigenvalues(values, d);
    const { values: found, vectors } = symmetricEigen(a, d);
    // Backward stable: errors of a few d · ε of the largest eigenvalue.
    const tolerance = 20 * d * Number.EPSILON * Math.max(...values.map(Math.abs));
    for (let k = 0; k < d; k++) {
      expect(Math.abs(found[k] - values[k])).toBeLessThan(tolerance);
      for (let i = 0; i < d; i++) {
        let sum = 0;
        for (let j = 0; j < d; j++) sum += a[i * d + j] * vectors[k * d + j];
        expect(Math.abs(sum - found[k] * vectors[k * d + i])).toBeLessThan(tolerance);
      }
      for (let other = 0; other <= k; other++) {
        let dot = 0;
        for (let j = 0; j < d; j++) dot += vectors[k * d + j] * vectors[other * d + j];
        expect(Math.abs(dot - (k === other ? 1 : 0))).toBeLessThan(20 * d * Number.EPSILON);
      }
    }
  });
  it('takes matrices of zeros and diagonal ones', () => {
    expect([...symmetricEigen(new Float64Array(9), 3).values]).toEqual([0, 0, 0]);
    expect([...symmetricEigen(Float64Array.of(1, 0, 0, 5), 2).values]).toEqual([5, 1]);
  });
});

describe('extremes', () => {
  it('fewer rows than features: what is kept gives the rows back', async () => {
    const x = [
      [1, 2, 3, 4],
      [2, 0, 1, 7],
      [0, 5, 5, 5],
    ];
    const pca = await new preprocess.PCA({ components: 2 }).fit(x);
    const back = (await pca.inverse(await pca.transform(x))).data;
    x.flat().forEach((v, i) => {
      expect(back[i]).toBeCloseTo(v, 5);
    });
  });
  it('overflow is an error, not a NaN', async () => {
    const x = { data: Float64Array.of(1e300, -1e300), shape: [2, 1] };
    await expect(new preprocess.PCA().fit(x)).rejects.toThrow(/overflows/);
    await expect(new preprocess.StandardScaler().fit(x)).rejects.toThrow(/feature 0 has values whose squares/);
    const small = { data: Float64Array.of(1e-300, 3e-300), shape: [2, 1] };
    await expect(new preprocess.StandardScaler().fit(small)).rejects.toThrow(/no spread/);
    const scaled = await new preprocess.MinMaxScaler().fitTransform(small);
    expect([...scaled.data]).toEqual([0, 1]);
  });
  it('a mean needs no spread', async () => {
    expect([...(await new preprocess.MeanCenterer().fitTransform([[3], [3]])).data]).toEqual([0, 0]);
  });
});
