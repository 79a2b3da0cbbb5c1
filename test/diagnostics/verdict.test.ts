import { describe, expect, it } from 'vitest';
import { DataError, diagnostics, OptionError } from '../../src/index.js';

const { verdict } = diagnostics;
const history = (loss: readonly number[], valLoss?: readonly number[]) => ({
  epochs: loss.map((l, i) => ({ epoch: i + 1, loss: l, ...(valLoss === undefined ? {} : { valLoss: valLoss[i] }) })),
});

describe('verdict', () => {
  it('sees over-fitting in a validation loss that rises', () => {
    const v = verdict(history([2, 1, 0.6, 0.4, 0.3, 0.25], [1.9, 1, 0.7, 0.65, 0.7, 0.8]));
    expect([v.kind, v.bestEpoch]).toEqual(['overfitting', 4]);
    expect(v.reasons[0]).toBe(
      'the validation loss rose from 0.65 (epoch 4) to 0.8 while the training loss fell from 0.4 to 0.25',
    );
    expect(v.reasons[1]).toMatch(/0.55 above/);
  });

  it('sees over-fitting in a gap that stays', () => {
    const v = verdict(history([2, 1, 0.3, 0.2, 0.15, 0.15], [1.9, 1.2, 1, 1, 1, 1]));
    expect(v.kind).toBe('overfitting');
    expect(v.reasons[0]).toMatch(/^the validation loss 1 is 0.85 above the training loss 0.15$/);
  });

  it('sees under-fitting in a training loss that stands still high up', () => {
    const v = verdict(history([2.3, 2.28, 2.27, 2.27, 2.27, 2.27], [2.3, 2.28, 2.27, 2.27, 2.27, 2.27]));
    expect(v.kind).toBe('underfitting');
    expect(v.reasons[0]).toMatch(/stands still at 2.27/);
    // What high up is can be said.
    const settled = history([0.71, 0.7, 0.69, 0.69, 0.69, 0.69]);
    expect(verdict(settled, { baseline: Math.log(2) }).kind).toBe('underfitting');
    expect(verdict(settled, { baseline: Math.log(10) }).kind).toBe('good fit');
  });

  it('tells a run that should go on from one that has settled', () => {
    expect(verdict(history([2, 1.5, 1.1, 0.8, 0.6, 0.45], [1.9, 1.5, 1.1, 0.85, 0.65, 0.5])).kind).toBe(
      'still learning',
    );
    const good = verdict(
      history([2, 0.5, 0.2, 0.11, 0.1, 0.1, 0.1, 0.1, 0.1], [2, 0.5, 0.21, 0.13, 0.12, 0.12, 0.12, 0.12, 0.12]),
    );
    expect(good.kind).toBe('good fit');
    expect(verdict(history([2, 0.5, 0.2, 0.11, 0.1, 0.1, 0.1, 0.1, 0.1])).reasons[0]).toMatch(/without validation/);
  });

  it.each([
    ['NaN', [2, 1, Number.NaN]],
    ['a loss that ends above its start', [2, 1, 5]],
    ['a loss that doubled since its least', [2, 0.4, 0.3, 0.9]],
  ])('sees divergence: %s', (_name, loss) => {
    expect(verdict(history(loss)).kind).toBe('diverging');
  });

  it('does not judge two epochs', () => {
    expect(verdict(history([2, 1])).kind).toBe('too short');
  });

  it('does not take noise at the bottom for a rise', () => {
    const v = verdict(
      history(
        [2, 0.1, 0.01, 0.001, 0.0005, 0.0004, 0.0003, 0.0002, 0.0001],
        [2, 0.1, 0.01, 0.002, 0.0022, 0.0021, 0.0023, 0.0024, 0.0022],
      ),
    );
    expect(v.kind).toBe('good fit');
  });

  it('does not take a rise below the training loss for over-fitting, unless it is large', () => {
    expect(verdict(history([2, 0.6, 0.3, 0.28, 0.25, 0.22], [1, 0.1, 0.06, 0.07, 0.075, 0.08])).kind).toBe(
      'still learning',
    );
    expect(verdict(history([2, 1.9, 1.8, 1.7, 1.6, 1.5], [1, 0.5, 0.3, 0.5, 0.8, 1.2])).kind).toBe('overfitting');
  });

  it.each<[string, () => unknown, new (message: string) => Error]>([
    ['an empty history', () => verdict({ epochs: [] }), DataError],
    ['a history without losses', () => verdict({ epochs: [{ epoch: 1 }] }), DataError],
    ['a baseline of 0', () => verdict(history([1, 1, 1]), { baseline: 0 }), OptionError],
    ['a rise of 0', () => verdict(history([1, 1, 1]), { rise: 0 }), OptionError],
    ['an unknown option', () => verdict(history([1, 1, 1]), { gaps: 1 } as object), OptionError],
  ])('refuses %s', (_name, call, kind) => {
    expect(call).toThrow(kind);
  });
});
