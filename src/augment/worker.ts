import { parentPort, workerData } from 'node:worker_threads';
import { Painter, type PaintJob } from './painter.js';
import type { PaintPlan } from './steps.js';

/** What a thread is asked to do; all arrays lie in shared memory. */
export interface Order {
  readonly id: number;
  readonly job: PaintJob;
}

export interface Answer {
  readonly id: number;
  readonly error?: string;
}

/** What a `Studio` starts its threads with. */
export interface Supplies {
  readonly neuritePaint: PaintPlan;
}

let painter: Painter | null = null;
// Where a bundler joins this file with others, threads of the user's run it, too: their messages are not for it.
const plan = (workerData as Partial<Supplies> | null)?.neuritePaint;
const port = plan === undefined ? null : parentPort;

port?.on('message', ({ id, job }: Order) => {
  let answer: Answer = { id };
  try {
    painter ??= new Painter(plan as PaintPlan);
    painter.paint(job);
  } catch (error) {
    answer = { id, error: String((error as Error)?.message ?? error) };
  }
  port?.postMessage(answer);
});
