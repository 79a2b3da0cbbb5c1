import type { WriteStream } from 'node:tty';
import type { EpochRecord, ProgressEvent, RunEvent } from './events.js';

/** Where progress is written: any stream; `isTTY` and `columns` say whether and how wide a terminal it is. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

const MIN_REDRAW_MS = 100;
const MAX_BAR = 30;
const MIN_BAR = 8;
const CLEAR_LINE = '\r\u001b[2K';

/**
 * Shows a run's events: in a terminal a bar that is redrawn at most ten times a second and gives way to one line an epoch,
 * elsewhere the line alone.
 */
export class ProgressReporter {
  private readonly stream: ProgressStream;
  private readonly now: () => number;
  private epochs = 0;
  private drawnAt = Number.NEGATIVE_INFINITY;

  constructor(stream: ProgressStream = process.stderr as WriteStream, now: () => number = () => performance.now()) {
    this.stream = stream;
    this.now = now;
  }

  handle(event: RunEvent): void {
    switch (event.type) {
      case 'start':
        this.epochs = event.epochs;
        break;
      case 'progress':
        this.draw(event);
        break;
      case 'epoch':
        this.clear();
        this.stream.write(`${epochLine(event.record, this.epochs, this.width)}\n`);
        break;
      case 'end':
        this.clear();
        break;
      case 'checkpoint':
        break;
      default:
        event satisfies never;
    }
  }

  /** Takes the bar away, before something else is written. */
  clear(): void {
    if (this.drawnAt !== Number.NEGATIVE_INFINITY) this.stream.write(CLEAR_LINE);
    this.drawnAt = Number.NEGATIVE_INFINITY;
  }

  /** One column stays free: a terminal that wraps would scroll at each redraw. */
  private get width(): number {
    return this.stream.isTTY === true ? (this.stream.columns ?? 80) - 1 : Number.POSITIVE_INFINITY;
  }

  private draw(event: ProgressEvent): void {
    if (this.stream.isTTY !== true || this.now() - this.drawnAt < MIN_REDRAW_MS) return;
    this.drawnAt = this.now();
    this.stream.write(CLEAR_LINE + progressLine(event, this.epochs, this.width));
  }
}

/** One line of at most `width` characters; what matters least is left out first. */
export function progressLine(event: ProgressEvent, epochs: number, width: number): string {
  const head = `epoch ${event.epoch}/${epochs} `;
  const { stepsPerEpoch, secondsLeft } = event;
  const steps = stepsPerEpoch === null ? ` step ${event.step}` : ` ${event.step}/${stepsPerEpoch}`;
  const figures = Object.entries(event.figures).map(([name, value]) => `  ${spaced(name)} ${figure(value)}`);
  const tail = [secondsLeft === null ? '' : `  ${duration(secondsLeft)} left`, `  ${rate(event.samplesPerSecond)}`];
  let line = head.trimEnd() + steps;
  // Most important first: the loss, time left, the other metrics, speed.
  const wanted = new Set<string>();
  let length = line.length;
  for (const part of [...figures.slice(0, 1), tail[0], ...figures.slice(1), tail[1]]) {
    if (length + part.length > width) continue;
    wanted.add(part);
    length += part.length;
  }
  const room = Math.min(MAX_BAR, width - length - 1);
  if (room >= MIN_BAR && stepsPerEpoch !== null) line = head + bar(event.step / stepsPerEpoch, room) + steps;
  line += [...figures, tail[1], tail[0]].filter((part) => wanted.has(part)).join('');
  return line.slice(0, Math.max(0, width));
}

/** What stays on the screen of a finished epoch; time, then speed, are left out where they do not fit. */
export function epochLine(record: EpochRecord, epochs: number, width = Number.POSITIVE_INFINITY): string {
  const { epoch, samplesPerSecond, seconds, ...figures } = record;
  const parts = Object.entries(figures).map(([name, value]) => `${spaced(name)} ${figure(value)}`);
  const number = String(epoch).padStart(String(epochs).length);
  let line = `epoch ${number}/${epochs}  ${parts.join('  ')}`;
  for (const extra of [rate(samplesPerSecond), duration(seconds)]) {
    if (line.length + 2 + extra.length <= width) line += `  ${extra}`;
  }
  return line;
}

function bar(fraction: number, width: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

/** `valLoss` → `val loss`. */
function spaced(name: string): string {
  return name.replace(/[A-Z]/g, (c) => ` ${c.toLowerCase()}`);
}

function figure(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : value.toFixed(4);
}

/** Grouped thousands without the process's locale: `312,000 samples/s`. */
function rate(samplesPerSecond: number): string {
  const digits = samplesPerSecond >= 100 ? samplesPerSecond.toFixed(0) : samplesPerSecond.toPrecision(3);
  return `${digits.replace(/\B(?=(\d{3})+$)/g, ',')} samples/s`;
}

/** `0.4 s`, `12 s`, `3:05`, `1:02:03`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '? s';
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (n: number): string => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}
