import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { NeuriteError, OptionError } from '../../core.js';
import type { Callback, TrainContext } from '../callback.js';
import type { EpochEvent, EpochRecord } from '../events.js';

/** One line an epoch in a file; a resumed run writes the epochs before it again, so that the file is that of one run. */
abstract class FileLogger implements Callback {
  abstract readonly name: string;
  readonly file: string;

  constructor(where: string, file: string) {
    if (typeof file !== 'string' || file === '') {
      throw new OptionError(`${where}: file is ${String(file)}, expected a path`);
    }
    this.file = file;
  }

  protected abstract head(run: TrainContext): string;
  protected abstract line(record: EpochRecord, run: TrainContext): string;

  async onStart(run: TrainContext): Promise<void> {
    const text = this.head(run) + run.history.map((record) => this.line(record, run)).join('');
    await this.guard(async () => {
      await mkdir(dirname(this.file), { recursive: true });
      await writeFile(this.file, text);
    });
  }

  async onEpoch({ record }: EpochEvent, run: TrainContext): Promise<void> {
    await this.guard(() => appendFile(this.file, this.line(record, run)));
  }

  private async guard(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
    } catch (error) {
      throw new NeuriteError('ERR_DATA', `${this.name} "${this.file}": ${(error as Error).message}`, { cause: error });
    }
  }
}

/**
 * Writes the figures of each epoch to a CSV file (RFC 4180): `epoch`, the figures of the run, `seconds`, `samplesPerSecond`; a
 * field is empty where an epoch has no such figure.
 * @param file is replaced when the run starts; its directory is made.
 * @throws NeuriteError naming the file when it cannot be written.
 * @example new callbacks.CsvLogger('runs/1/epochs.csv');
 */
export class CsvLogger extends FileLogger {
  readonly name = 'CsvLogger';

  constructor(file: string) {
    super('CsvLogger', file);
  }

  protected head(run: TrainContext): string {
    return `${this.columns(run).map(quoted).join()}\n`;
  }

  protected line(record: EpochRecord, run: TrainContext): string {
    return `${this.columns(run)
      .map((name) => String(record[name] ?? ''))
      .join()}\n`;
  }

  private columns({ figures }: TrainContext): readonly string[] {
    return ['epoch', ...figures, 'seconds', 'samplesPerSecond'];
  }
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Writes the record of each epoch as a line of JSON. NaN and ±Infinity, which JSON lacks, become null.
 * @param file is replaced when the run starts; its directory is made.
 * @throws NeuriteError naming the file when it cannot be written.
 * @example new callbacks.JsonlLogger('runs/1/epochs.jsonl');
 */
export class JsonlLogger extends FileLogger {
  readonly name = 'JsonlLogger';

  constructor(file: string) {
    super('JsonlLogger', file);
  }

  protected head(): string {
    return '';
  }

  protected line(record: EpochRecord): string {
    return `${JSON.stringify(record)}\n`;
  }
}
