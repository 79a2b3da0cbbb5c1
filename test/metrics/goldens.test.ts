import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { metrics, type Tensor, tensor } from '../../src/index.js';

const golden = JSON.parse(readFileSync(new URL('./goldens/metrics.json', import.meta.url), 'utf8'));

/** The figure over uneven batches, as an evaluation collects it. */
async function streamed(metric: metrics.AnyMetric, outputs: Tensor, labels: Tensor): Promise<number> {
  const running = new metrics.RunningMetric(metric);
  const n = outputs.shape[0];
  for (let start = 0; start < n; start += 17) {
    const part = { start, end: Math.min(start + 17, n) };
    const values = await metric.batch(outputs.slice([part]), labels.slice([part])).data();
    running.add(values as Float32Array, part.end - part.start);
  }
  return running.value;
}

/** Figures that only compare and count are exact to float64; those that go through float32 exp and log are not. */
const EXACT = 1e-12;
const SOFT = 2e-6;

async function check(metric: metrics.AnyMetric, outputs: Tensor, labels: Tensor, expected: number, tolerance: number) {
  for (const value of [await streamed(metric, outputs, labels), await metrics.measure(metric, outputs, labels)]) {
    expect(Math.abs(value - expected), `${metric.name}: ${value}, scikit-learn ${expected}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(expected)),
    );
  }
}

describe('several classes, against scikit-learn', () => {
  const { multi } = golden;
  const outputs = tensor(multi.logits);
  const labels = tensor(Int32Array.from(multi.labels));

  it.each(['micro', 'macro', 'weighted'] as const)('precision, recall and F1, %s', async (average) => {
    for (const name of ['precision', 'recall', 'f1'] as const) {
      await check(metrics[name]({ average }), outputs, labels, multi[average][name], EXACT);
    }
  });
  it('macro is the default; a class that is never predicted counts as 0', async () => {
    await check(metrics.f1(), outputs, labels, multi.macro.f1, EXACT);
    expect(multi.perClass[0][3]).toBe(0);
  });
  it('accuracy, top-k and log loss', async () => {
    await check(metrics.accuracy(), outputs, labels, multi.accuracy, SOFT);
    await check(metrics.topKAccuracy(2), outputs, labels, multi.top2, SOFT);
    await check(metrics.logLoss(), outputs, labels, multi.logLoss, SOFT);
    await check(metrics.logLoss({ fromLogits: false }), outputs.softmax(), labels, multi.logLoss, SOFT);
    await check(metrics.perplexity(), outputs, labels, Math.exp(multi.logLoss), 4 * SOFT);
  });
  it.each(['macro', 'weighted'] as const)('ROC-AUC and average precision, %s', async (average) => {
    await check(metrics.rocAuc({ average }), outputs, labels, multi.rocAuc[average], EXACT);
    await check(metrics.prAuc({ average }), outputs, labels, multi.prAuc[average], EXACT);
  });
  it('confusion matrix and report', async () => {
    const predictions = await outputs.argmax({ axis: -1 }).data();
    const counts = new metrics.ConfusionCounts();
    counts.add(multi.labels.slice(0, 20), predictions.slice(0, 20) as Int32Array);
    counts.add(multi.labels.slice(20), predictions.slice(20) as Int32Array);
    expect(counts.matrix).toEqual(multi.confusion);
    const report = metrics.classificationReport(multi.labels, predictions as Int32Array);
    expect(report.accuracy).toBeCloseTo(multi.accuracy, 12);
    report.classes.forEach((c, k) => {
      const [precision, recall, f1, support] = multi.perClass.map((row: number[]) => row[k]);
      expect(c.precision).toBeCloseTo(precision, 12);
      expect(c.recall).toBeCloseTo(recall, 12);
      expect(c.f1).toBeCloseTo(f1, 12);
      expect(c.support).toBe(support);
    });
  });
});

describe('two classes, against scikit-learn', () => {
  const { binary } = golden;
  const n = binary.labels.length;
  const outputs = tensor(Float32Array.from(binary.logits), { shape: [n, 1] });
  const labels = tensor(Float32Array.from(binary.labels), { shape: [n, 1] });
  const pair = tensor(Float32Array.from(binary.logits.flatMap((z: number) => [0, z])), { shape: [n, 2] });

  it('precision, recall, F1 and log loss', async () => {
    for (const name of ['precision', 'recall', 'f1'] as const) {
      await check(metrics[name](), outputs, labels, binary.binary[name], EXACT);
      await check(metrics[name]({ threshold: 0.5 }), outputs.sigmoid(), labels, binary.binary[name], EXACT);
      await check(metrics[name](), pair, tensor(Int32Array.from(binary.labels)), binary.binary[name], EXACT);
    }
    await check(metrics.logLoss(), outputs, labels, binary.logLoss, SOFT);
    await check(metrics.logLoss({ fromLogits: false }), outputs.sigmoid(), labels, binary.logLoss, SOFT);
  });
  it('ROC-AUC and average precision with ties, in one column or two', async () => {
    await check(metrics.rocAuc(), outputs, labels, binary.rocAuc, EXACT);
    await check(metrics.prAuc(), outputs, labels, binary.prAuc, EXACT);
    await check(metrics.rocAuc(), pair, tensor(Int32Array.from(binary.labels)), binary.rocAuc, EXACT);
  });
  it('curves, point by point', () => {
    const roc = metrics.rocCurve(binary.labels, binary.logits);
    const close = (a: readonly number[], b: readonly number[]) => {
      expect(a.length).toBe(b.length);
      a.forEach((v, i) => {
        expect(v).toBeCloseTo(b[i], 12);
      });
    };
    close(roc.falsePositiveRate, binary.roc.fpr);
    close(roc.truePositiveRate, binary.roc.tpr);
    close(roc.thresholds.slice(1), binary.roc.thresholds);
    expect(roc.area).toBeCloseTo(binary.rocAuc, 12);
    const pr = metrics.precisionRecallCurve(binary.labels, binary.logits);
    close(pr.precision, binary.pr.precision.toReversed());
    close(pr.recall, binary.pr.recall.toReversed());
    close(pr.thresholds, binary.pr.thresholds.toReversed());
  });
  it('reliability bins', async () => {
    const p = binary.logits.map((z: number) => 1 / (1 + Math.exp(-z)));
    const { bins, expectedError } = metrics.reliability(p, binary.labels, { bins: 10 });
    const full = bins.filter((b) => b.count > 0);
    expect(full.length).toBe(binary.calibration.accuracy.length);
    full.forEach((b, i) => {
      expect(b.accuracy).toBeCloseTo(binary.calibration.accuracy[i], 12);
      expect(b.confidence).toBeCloseTo(binary.calibration.confidence[i], 12);
    });
    const byHand = full.reduce((sum, b) => sum + (b.count / n) * Math.abs(b.accuracy - b.confidence), 0);
    expect(expectedError).toBeCloseTo(byHand, 12);
    await check(metrics.calibrationError({ bins: 10 }), outputs, labels, byHand, SOFT);
  });
});

describe('regression, against scikit-learn', () => {
  const { regression } = golden;
  const [outputs, targets] = [tensor(regression.outputs), tensor(regression.targets)];
  it.each(['meanAbsoluteError', 'meanSquaredError', 'rootMeanSquaredError', 'rSquared'] as const)(
    '%s',
    async (name) => {
      // Sums of 50 squares in float32 for the first three; R² adds up in float64.
      await check(metrics.metricByName(name), outputs, targets, regression[name], name === 'rSquared' ? EXACT : SOFT);
    },
  );
});
