import { describe, expect, it } from 'vitest';
import {
  classic,
  DataError,
  data,
  mse,
  OptionError,
  preprocess,
  ShapeError,
  sigmoid,
  square,
  sub,
  sum,
  tensor,
  valueAndGrad,
} from '../../src/index.js';

const GATE = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
];

describe('Perceptron', () => {
  it('with w = (0.5, 0.5), b = −0.7 is the AND gate', async () => {
    const and = new classic.Perceptron(2, { weight: [[0.5, 0.5]], bias: [-0.7] });
    expect([...(await and.predict(GATE))]).toEqual([0, 0, 0, 1]);
  });
  it('learns AND from zeros: the rule converges, with the weights worked out by hand', async () => {
    const and = new classic.Perceptron(2);
    const report = await and.learn({ x: GATE, y: [[0], [0], [0], [1]] });
    // The same rule, sample by sample.
    let [w0, w1, b] = [0, 0, 0];
    const mistakes: number[] = [];
    do {
      mistakes.push(0);
      GATE.forEach(([p, q], i) => {
        const error = (i === 3 ? 1 : 0) - (w0 * p + w1 * q + b >= 0 ? 1 : 0);
        [w0, w1, b] = [w0 + error * p, w1 + error * q, b + error];
        if (error !== 0) mistakes[mistakes.length - 1] += 1;
      });
    } while (mistakes.at(-1) !== 0);
    expect(report).toMatchObject({ converged: true, epochs: mistakes.length, mistakes });
    expect(await and.coefficients()).toEqual({ weight: [[w0, w1]], bias: [b] });
    expect([...(await and.predict(GATE))]).toEqual([0, 0, 0, 1]);
    expect(report.message).toMatch(/^converged/);
  });
  it('never learns XOR, and says so', async () => {
    const report = await new classic.Perceptron(2).learn({ x: GATE, y: [[0], [1], [1], [0]] }, { maxEpochs: 50 });
    expect(report.converged).toBe(false);
    expect(report.mistakes.length).toBe(50);
    expect(Math.min(...report.mistakes)).toBeGreaterThan(0);
    expect(report.message).toMatch(/not converged: still \d+ mistakes in epoch 50.*XOR/);
  });
  it('checks targets and options', async () => {
    const p = new classic.Perceptron(2);
    await expect(p.learn({ x: GATE, y: [0, 0, 0, 1] })).rejects.toThrow(ShapeError);
    await expect(p.learn({ x: GATE, y: [[-1], [0], [0], [1]] })).rejects.toThrow(DataError);
    await expect(p.learn({ x: GATE, y: [[0], [0], [0], [1]] }, { lr: 0 })).rejects.toThrow(/lr is 0/);
    await expect(p.learn({ x: GATE, y: [[0], [0], [0], [1]] }, { maxEpochs: 0 })).rejects.toThrow(OptionError);
    expect(() => new classic.Perceptron(2, { weight: [[1]] })).toThrow(/weight is \[1, 1\], expected \[1, 2\]/);
    expect(() => new classic.Perceptron(2, { bias: [1, 2] })).toThrow(/bias has 2 numbers, expected 1/);
    expect(() => new classic.Perceptron(0)).toThrow(/features is 0/);
    expect(() => new classic.Perceptron(1, { weight: [[Number.NaN]] })).toThrow(/weight contains NaN/);
  });
});

describe('LinearRegression', () => {
  it('fits the line w = 0.5, b = −1.5 by gradient descent', async () => {
    const line = new classic.LinearRegression(1);
    await line.learn({ x: [[2], [3], [5], [7], [9]], y: [[-0.5], [0], [1], [2], [3]] }, { lr: 0.025, epochs: 3000 });
    const { weight, bias } = await line.coefficients();
    expect(weight[0][0]).toBeCloseTo(0.5, 4);
    expect(bias[0]).toBeCloseTo(-1.5, 4);
  });

  const rows = [
    [1200, 2, 70],
    [1500, 3, 120],
    [2100, 4, 230],
    [1100, 3, 105],
    [1300, 2, 90],
    [900, 1, 55],
  ];
  const x = tensor(rows.map((r) => r.slice(0, 2)));
  const y = tensor(rows.map((r) => r.slice(2)));
  const houses = () => new classic.LinearRegression(2, { weight: [[1, 1]], bias: [1] });
  it('house prices: first error −1133, squared 1283689, MSE 1650258.1667', async () => {
    const errors = sub(y, houses().forward(x));
    expect((await errors.data())[0]).toBe(-1133);
    expect((await square(errors).data())[0]).toBe(1283689);
    const loss = await mse(houses().forward(x), y).item();
    expect(Math.abs(loss - 1650258.1667)).toBeLessThan(2 ** -23 * 1650258.1667 * 6); // six float32 additions
  });
  it('house prices: the derivative of the first squared error by w₁ is −2·e·area = 2719200', async () => {
    const model = houses();
    const [, grads] = valueAndGrad(model, () =>
      sum(square(sub(y.slice([{ end: 1 }]), model.forward(x.slice([{ end: 1 }]))))),
    )();
    expect((await grads['linear.weight'].data())[0]).toBe(2719200);
  });
  it('six samples: batches of 6, 2 and 1 make 1, 3 and 6 updates an epoch', async () => {
    for (const [batchSize, updates] of [
      [6, 1],
      [2, 3],
      [1, 6],
    ]) {
      const history = await houses().learn({ x, y }, { batchSize, epochs: 1, lr: 1e-8 });
      expect(history.steps).toBe(updates);
    }
  });
  it('says when the step was too large', async () => {
    await expect(houses().learn({ x, y }, { lr: 1 })).rejects.toThrow(DataError);
    await expect(houses().learn({ x, y }, { lr: -1 })).rejects.toThrow(/lr is -1/);
    await expect(houses().learn({ x, y }, { lr: 1, optimizer: 'adam' })).rejects.toThrow(/expected one of them/);
  });
});

const AGES = [
  [22, 0],
  [25, 0],
  [47, 1],
  [52, 0],
  [46, 1],
  [56, 1],
  [55, 0],
  [60, 1],
  [62, 1],
  [61, 1],
  [18, 0],
  [28, 0],
  [27, 0],
  [29, 0],
  [49, 1],
];

describe('LogisticRegression', () => {
  it('insurance by age: σ(0.042·x − 1.53) reaches 0.5 at x = 36.43', async () => {
    const model = new classic.LogisticRegression(1, { weight: [[0.042]], bias: [-1.53] });
    expect(1.53 / 0.042).toBeCloseTo(36.43, 2);
    expect([...(await model.predict([[36.42], [36.43], [36], [37]]))]).toEqual([0, 1, 0, 1]);
  });
  it('age 22, affordability 1, w = (1, 1), b = 0: z = 23, ŷ ≈ 1; 0.99 against 0 has squared error 0.9801', async () => {
    const model = new classic.LogisticRegression(2, { weight: [[1, 1]], bias: [0] });
    expect(await model.forward(tensor([[22, 1]])).item()).toBe(23);
    expect(await (await model.probabilities([[22, 1]])).item()).toBeCloseTo(1, 6);
    expect(0.99 ** 2).toBeCloseTo(0.9801, 12);
  });
  it('age → bought: a linear fit cut at 0.5 beside the sigmoid', async () => {
    const scaler = new preprocess.StandardScaler();
    const { data: x, shape } = await scaler.fitTransform(AGES.map(([age]) => [age]));
    const y = AGES.map(([, bought]) => [bought]);
    const linear = new classic.LinearRegression(1);
    await linear.learn({ x: { data: x, shape }, y }, { lr: 0.1, epochs: 300 });
    const straight = await (await linear.predict({ data: x, shape })).data();
    const logistic = new classic.LogisticRegression(1);
    await logistic.learn({ x: { data: x, shape }, y }, { lr: 0.5 });
    const labels = await logistic.predict({ data: x, shape });
    const right = (list: ArrayLike<number>) => AGES.filter(([, bought], i) => list[i] === bought).length;
    const cut = Array.from(straight as Float32Array, (v) => (v >= 0.5 ? 1 : 0));
    expect([right(cut), right(labels)]).toEqual([13, 13]); // 52 and 55 did not buy
    // A line leaves [0, 1]; the sigmoid cannot.
    const far = await scaler.transform([[100]]);
    expect(await (await linear.predict(far)).item()).toBeGreaterThan(1);
    expect(await (await logistic.probabilities(far)).item()).toBeLessThan(1);
  });
  it('the gradient at the logits is (ŷ − y) / n', async () => {
    const model = new classic.LogisticRegression(1, { weight: [[0.3]], bias: [0.1] });
    const x = tensor([[1], [2], [-1]]);
    const y = tensor([[1], [0], [1]]);
    const { binaryCrossEntropy } = await import('../../src/index.js');
    const [, grads] = valueAndGrad(model, () => binaryCrossEntropy(model.forward(x), y))();
    const p = await sigmoid(model.forward(x)).data();
    const expected = [0, 1, 2].reduce((s, i) => s + (Number(p[i]) - [1, 0, 1][i]) / 3, 0);
    expect((await grads['linear.bias'].data())[0]).toBeCloseTo(expected, 6);
  });
  it('abstains below the confidence asked for', async () => {
    const model = new classic.LogisticRegression(1, { weight: [[1]], bias: [0] });
    expect([...(await model.predict([[-3], [0.1], [3]], { confidence: 0.9 }))]).toEqual([0, classic.ABSTAIN, 1]);
    expect([...(await model.predict([[1]], { threshold: 0.9 }))]).toEqual([0]);
    await expect(model.predict([[1]], { threshold: 2 })).rejects.toThrow(/threshold is 2/);
  });
  it('(age, affordability) → bought: affordability counts', async () => {
    const rows = [
      [22, 1, 0],
      [25, 0, 0],
      [47, 1, 1],
      [52, 0, 0],
      [46, 1, 1],
      [56, 1, 1],
      [55, 0, 0],
      [60, 0, 1],
      [62, 1, 1],
      [61, 1, 1],
      [18, 1, 0],
      [28, 1, 0],
      [27, 0, 0],
    ];
    const x = rows.map(([age, can]) => [age / 100, can]);
    const model = new classic.LogisticRegression(2);
    await model.learn({ x, y: rows.map((r) => [r[2]]) }, { lr: 1, epochs: 5000 });
    const { weight, bias } = await model.coefficients();
    expect(weight[0][0]).toBeGreaterThan(0);
    expect(weight[0][1]).toBeGreaterThan(0);
    // At the optimum the mean probability is the share of buyers: the bias gradient is 0.
    const p = (await (await model.probabilities(x)).data()) as Float32Array;
    expect(p.reduce((a, b) => a + b, 0) / 13).toBeCloseTo(6 / 13, 2);
    expect(Number.isFinite(bias[0])).toBe(true);
  });
});

describe('SoftmaxRegression', () => {
  it('separates blobs and abstains between them', async () => {
    const set = data.blobs(150, {
      centers: [
        [-5, 0],
        [5, 0],
        [0, 6],
      ],
      seed: 1,
    });
    const model = new classic.SoftmaxRegression(2, 3);
    const history = await model.learn(set, { metrics: ['accuracy'], epochs: 300 });
    expect(history.epochs.at(-1)!['accuracy']).toBeGreaterThan(0.97);
    expect([
      ...(await model.predict([
        [-5, 0],
        [5, 0],
        [0, 6],
      ])),
    ]).toEqual([0, 1, 2]);
    expect([...(await model.predict([[0, -1]], { confidence: 0.99 }))]).toEqual([-1]);
    const p = (await (await model.probabilities([[1, 1]])).data()) as Float32Array;
    expect(p.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
  });
  it('is the same as logistic regression with two classes', async () => {
    const two = new classic.SoftmaxRegression(1, 2, { weight: [[0], [0.042]], bias: [0, -1.53] });
    const one = new classic.LogisticRegression(1, { weight: [[0.042]], bias: [-1.53] });
    const p = (await (await two.probabilities([[40]])).data()) as Float32Array;
    expect(p[1]).toBeCloseTo(await (await one.probabilities([[40]])).item(), 6);
    expect(() => new classic.SoftmaxRegression(2, 1)).toThrow(/classes is 1/);
  });
});
