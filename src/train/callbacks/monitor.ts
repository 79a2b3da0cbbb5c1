import { didYouMean, OptionError } from '../../core.js';
import { shown } from '../../options.js';
import type { TrainContext } from '../callback.js';

/** Checks that the run has the figure. */
export function figureOf(where: string, figure: string, run: TrainContext): void {
  if (run.figures.includes(figure)) return;
  const hint = figure.startsWith('val') ? '; give fit the option validation' : '';
  throw new OptionError(
    `${where}: monitor is "${figure}", the epochs have ${run.figures.join(', ')}${hint}.${didYouMean(figure, run.figures)}`,
  );
}

/** Whether smaller is better: what the name says unless stated. */
export function modeOf(where: string, figure: string, mode: unknown): 'min' | 'max' {
  if (mode === 'min' || mode === 'max') return mode;
  if (mode === undefined)
    return /(accuracy|precision|recall|f1|auc|rSquared|map|iou|dice)$/i.test(figure) ? 'max' : 'min';
  throw new OptionError(`${where}: mode is ${shown(mode)}, expected 'min' or 'max'`);
}
