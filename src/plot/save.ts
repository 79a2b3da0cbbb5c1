import { extname } from 'node:path';
import { DataError, NeuriteError, OptionError } from '../errors.js';
import { writeFileAtomic } from '../io/index.js';
import { checkOptions, checkPath, shown } from '../options.js';

export interface PngOptions {
  /** Pixels of the PNG for one of the picture, in (0, 16]; default 2. */
  readonly scale?: number;
  /** A CSS colour, such as 'white'; default transparent, as the SVG is. */
  readonly background?: string;
}

/** What we use of @resvg/resvg-js, an optional peer: its types are not needed to compile this. */
interface ResvgModule {
  readonly Resvg: new (
    svg: string,
    options: {
      readonly fitTo: { readonly mode: 'zoom'; readonly value: number };
      readonly background?: string;
      readonly font: { readonly loadSystemFonts: boolean; readonly sansSerifFamily?: string };
    },
  ) => { render(): { asPng(): Uint8Array } };
}

const PEER = '@resvg/resvg-js';

/**
 * Writes a picture to a file, atomically: `.svg` as it is, `.png` through the optional package @resvg/resvg-js.
 * @param svg what the functions of `plot` return.
 * @param file path whose ending is .svg or .png; its directory must exist.
 * @param options for PNG: `scale` (default 2), `background` (default transparent).
 * @throws OptionError for another ending; NeuriteError when the file cannot be written, or when @resvg/resvg-js is missing.
 * @example await plot.save(plot.learningCurve(history), 'learning-curve.svg');
 */
export async function save(svg: string, file: string, options: PngOptions = {}): Promise<void> {
  checkSvg('save', svg);
  checkPath('save', 'file', file);
  const ending = extname(file).toLowerCase();
  if (ending !== '.svg' && ending !== '.png') {
    throw new OptionError(`save: got "${file}", expected a file name that ends in .svg or .png`);
  }
  if (ending === '.svg') checkOptions(`save "${file}"`, options, []);
  await writeFileAtomic(file, [ending === '.svg' ? new TextEncoder().encode(svg) : await toPng(svg, options)]);
}

/**
 * A picture as the bytes of a PNG file, drawn by the optional package @resvg/resvg-js with the fonts of the system.
 * @param options `scale` (default 2), `background` (default transparent).
 * @throws NeuriteError with code ERR_DEVICE, saying what to install, when the package is missing; DataError when it cannot
 *   draw the text.
 * @example const bytes = await plot.toPng(svg, { background: 'white' });
 */
export async function toPng(svg: string, options: PngOptions = {}): Promise<Uint8Array> {
  checkSvg('toPng', svg);
  checkOptions('toPng', options, ['scale', 'background']);
  const { scale = 2, background } = options;
  if (!(typeof scale === 'number' && scale > 0 && scale <= 16))
    throw new OptionError(`toPng: scale is ${shown(scale)}, expected a number in (0, 16]`);
  const { Resvg } = await loadPeer();
  const settings = {
    fitTo: { mode: 'zoom', value: scale },
    font: { loadSystemFonts: true, sansSerifFamily: 'DejaVu Sans' },
  } as const;
  try {
    const picture = new Resvg(svg, background === undefined ? settings : { ...settings, background });
    return picture.render().asPng();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(
      `toPng: ${PEER} cannot draw this text (${why}); it takes what the functions of plot return`,
      undefined,
      {
        cause,
      },
    );
  }
}

async function loadPeer(): Promise<ResvgModule> {
  try {
    return (await import(PEER)) as ResvgModule;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new NeuriteError(
      'ERR_DEVICE',
      `PNG pictures need the optional package ${PEER}: npm install ${PEER}, or save as .svg (${why})`,
      { cause },
    );
  }
}

function checkSvg(where: string, svg: unknown): void {
  if (typeof svg === 'string') return;
  const hint = svg instanceof Promise ? 'a promise: await it' : String(svg);
  throw new OptionError(`${where}: expected the text of an SVG picture, got ${hint}`);
}
