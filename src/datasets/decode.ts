import { DataError, NeuriteError } from '../core.js';

/** What decoded pictures look like. */
export interface ImageForm {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly resize: 'cover' | 'contain' | 'fill';
}

/** What we use of sharp, an optional peer: its types are not needed to compile this. */
interface Sharp {
  rotate(): Sharp;
  resize(options: { width: number; height: number; fit: string; background: string }): Sharp;
  flatten(options: { background: string }): Sharp;
  grayscale(): Sharp;
  toColourspace(space: string): Sharp;
  raw(options: { depth: string }): Sharp;
  toBuffer(options: { resolveWithObject: true }): Promise<{ data: Uint8Array; info: { channels: number } }>;
}

type SharpModule = { readonly default: (file: string, options: { failOn: string }) => Sharp };

const PEER = 'sharp';
let loaded: Promise<SharpModule> | null = null;

/**
 * A picture file as bytes `[height, width, channels]`, decoded and resized by the optional package sharp on threads of its own.
 * Turned as its EXIF data says; what is transparent is on black.
 * @throws DataError naming a file that is no picture; NeuriteError saying what to install when sharp is missing.
 */
export async function decodeImage(file: string, { height, width, channels, resize }: ImageForm): Promise<Uint8Array> {
  const { default: sharp } = await loadPeer();
  const background = '#000';
  try {
    let picture = sharp(file, { failOn: 'error' }).rotate().resize({ width, height, fit: resize, background });
    picture = picture.flatten({ background }).toColourspace('srgb');
    if (channels === 1) picture = picture.grayscale().toColourspace('b-w');
    const { data, info } = await picture.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    if (info.channels === channels && data.length === height * width * channels) return data;
    throw new Error(`it decodes to ${info.channels} channels, expected ${channels}`);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new DataError(`imageFolder: ${file} cannot be read as a picture: ${why}`, undefined, { cause });
  }
}

function loadPeer(): Promise<SharpModule> {
  loaded ??= (import(PEER) as Promise<SharpModule>).catch((cause: unknown) => {
    loaded = null; // it may be installed later
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new NeuriteError(
      'ERR_DEVICE',
      `imageFolder needs the optional package ${PEER}: npm install ${PEER} (${why})`,
      {
        cause,
      },
    );
  });
  return loaded;
}
