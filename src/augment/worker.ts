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

let painter: Painter | null = null;

parentPort?.on('message', ({ id, job }: Order) => {
  let answer: Answer = { id };
  try {
    painter ??= new Painter(workerData as PaintPlan);
    painter.paint(job);
  } catch (error) {
    answer = { id, error: String((error as Error)?.message ?? error) };
  }
  parentPort?.postMessage(answer);
});
