import { PictureDraws } from './draws.js';
import { smoothField } from './field.js';
import { drawMapping, emptyMapping, type Geometry } from './geometry.js';
import { blendPictures, drawMix, type Mix, partnerOf } from './mix.js';
import { changePixels } from './pixels.js';
import { FRAME, framed, resample } from './resample.js';
import {
  type GeometricStep,
  isGeometric,
  isMix,
  type MixStep,
  type PaintPlan,
  type PixelStep,
  type Size,
  shapeAfter,
  sizeAfter,
} from './steps.js';

/** Bytes or floats, also in memory that threads share. */
export type Pixels = Uint8Array | Float32Array;

type Stage = { readonly geometry: Geometry } | { readonly pixel: PixelStep; readonly size: Size };

/** Some pictures of a pass. */
export interface PaintJob {
  /** Pictures that come in, and which of them to take, one number a picture; null: all in order. */
  readonly source: Pixels;
  readonly rows: Int32Array | null;
  /** Which pass over the data, the number of the first picture in it, and how many make a batch; batches begin at the first. */
  readonly pass: number;
  readonly first: number;
  readonly batch: number;
  /** The part of the pictures to paint. */
  readonly start: number;
  readonly end: number;
  /** Where all of them go. */
  readonly out: Pixels;
}

/** Makes augmented pictures, one after the other, in memory of its own: what a picture becomes depends on its number alone. */
export class Painter {
  readonly #plan: PaintPlan;
  readonly #stages: readonly Stage[];
  readonly #mixes: readonly MixStep[];
  readonly #draws: PictureDraws;
  readonly #map = emptyMapping();
  readonly #frame: Float32Array;
  #picture: Float32Array;
  #spare: Float32Array;
  readonly #each: number;
  readonly #eachOut: number;
  readonly #outSize: Size;
  /** The other picture of a blend, where it is not in the part that is painted. */
  readonly #partner: Pixels;

  constructor(plan: PaintPlan) {
    this.#plan = plan;
    const { shape, steps } = plan;
    this.#stages = stagesOf(plan);
    this.#mixes = steps.filter(isMix);
    this.#draws = new PictureDraws(plan.key, 'picture');
    const out = shapeAfter(steps, shape);
    let [most, frame] = [product(shape), 0];
    let size: Size = [shape[0], shape[1]];
    for (const step of steps) {
      frame = Math.max(frame, (size[0] + FRAME) * (size[1] + FRAME) * shape[2]);
      size = sizeAfter(step, size);
      most = Math.max(most, size[0] * size[1] * shape[2]);
    }
    this.#frame = new Float32Array(frame);
    this.#picture = new Float32Array(most);
    this.#spare = new Float32Array(most);
    this.#each = product(shape);
    this.#eachOut = product(out);
    this.#outSize = [out[0], out[1]];
    this.#partner = plan.dtype === 'uint8' ? new Uint8Array(this.#eachOut) : new Float32Array(this.#eachOut);
  }

  /** Paints pictures `start` to `end` of the job, batch by batch. */
  paint(job: PaintJob): void {
    const { start, end, pass, first, batch, rows } = job;
    const count = rows === null ? job.source.length / this.#each : rows.length;
    for (let i = start; i < end; i++) this.#one(job, i, job.out, i * this.#eachOut);
    if (this.#mixes.length === 0) return;
    for (let at = start; at < end; ) {
      const begin = at - (at % batch);
      const stop = Math.min(begin + batch, count);
      const mix = drawMix(this.#mixes, this.#plan.key, pass, first + begin, this.#outSize);
      if (mix !== null) this.#blend(job, mix, { begin, stop, low: at, high: Math.min(stop, end) });
      at = stop;
    }
  }

  /** Blends pictures low … high − 1 of the batch begin … stop − 1 with their partners. */
  #blend(
    job: PaintJob,
    mix: Mix,
    { begin, stop, low, high }: { begin: number; stop: number; low: number; high: number },
  ): void {
    const each = this.#eachOut;
    // The first picture's partner may lie elsewhere, or be blended by then: it is painted again.
    this.#one(job, partnerOf(low, begin, stop), this.#partner, 0);
    for (let i = high - 1; i > low; i--) {
      blendPictures(mix, job.out, i * each, job.out, (i - 1) * each, this.#outSize, each);
    }
    blendPictures(mix, job.out, low * each, this.#partner, 0, this.#outSize, each);
  }

  #one({ source, rows, pass, first }: PaintJob, i: number, out: Pixels, at: number): void {
    const { shape, range, fill } = this.#plan;
    const channels = shape[2];
    const draws = this.#draws.of(pass, first + i);
    let from: Pixels = source;
    let start = (rows === null ? i : rows[i]) * this.#each;
    for (const stage of this.#stages) {
      if ('geometry' in stage) {
        const [height, width] = stage.geometry.from;
        if (!drawMapping(stage.geometry, draws, this.#map)) continue;
        framed(from, start, this.#frame, [height, width, channels], typeof fill === 'number' ? fill : 0);
        const [h, w] = stage.geometry.to;
        resample(this.#frame, [height, width, channels], this.#spare, h, w, this.#map, fill);
        [this.#picture, this.#spare] = [this.#spare, this.#picture];
      } else {
        const [height, width] = stage.size;
        if (from !== this.#picture) copy(from, start, this.#picture, height * width * channels);
        changePixels(stage.pixel, this.#picture, [height, width, channels], range, draws);
      }
      from = this.#picture;
      start = 0;
    }
    write(from, start, out, at, this.#eachOut);
  }
}

function stagesOf({ steps, shape, key }: PaintPlan): Stage[] {
  const stages: Stage[] = [];
  let group: GeometricStep[] = [];
  let [from, size]: [Size, Size] = [
    [shape[0], shape[1]],
    [shape[0], shape[1]],
  ];
  let fields = 0;
  const flush = (): void => {
    const elastic = group.find((s) => s.kind === 'elastic');
    const field = elastic === undefined ? null : smoothField(key, fields++, elastic.sigma, size[0], size[1]);
    if (group.length > 0) stages.push({ geometry: { steps: group, from, to: size, field } });
    group = [];
    from = size;
  };
  for (const step of steps) {
    if (isMix(step)) continue;
    if (isGeometric(step)) {
      // One displacement field a pass.
      if (step.kind === 'elastic' && group.some((s) => s.kind === 'elastic')) flush();
      group.push(step);
      size = sizeAfter(step, size);
    } else {
      flush();
      stages.push({ pixel: step, size });
    }
  }
  flush();
  return stages;
}

function product(shape: readonly number[]): number {
  return shape.reduce((n, d) => n * d, 1);
}

function copy(from: Pixels, start: number, to: Float32Array, n: number): void {
  for (let i = 0; i < n; i++) to[i] = from[start + i];
}

/** Values into the result; bytes are rounded, and ends of the range stand for what is beyond. */
function write(from: Pixels, start: number, to: Pixels, at: number, n: number): void {
  if (to instanceof Float32Array) for (let i = 0; i < n; i++) to[at + i] = from[start + i];
  else {
    for (let i = 0; i < n; i++) {
      const v = from[start + i] + 0.5;
      to[at + i] = v < 0 ? 0 : v > 255 ? 255 : v;
    }
  }
}
