const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
/** PNG's colour types for 1 (grey), 3 (RGB) and 4 (RGBA) bytes a pixel. */
const COLOUR_TYPES = { 1: 0, 3: 2, 4: 6 } as const;

/**
 * A PNG file of 8 bits a channel.
 * @param pixels `[height, width, channels]`, row by row.
 * @see W3C, Portable Network Graphics (PNG) Specification (Third Edition).
 */
export function encodePng(pixels: Uint8Array, width: number, height: number, channels: 1 | 3 | 4): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  header[9] = COLOUR_TYPES[channels];
  const row = width * channels;
  const raw = new Uint8Array(height * (row + 1)); // each row begins with its filter: 0 is none
  for (let y = 0; y < height; y++) raw.set(pixels.subarray(y * row, (y + 1) * row), y * (row + 1) + 1);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', process.getBuiltinModule('node:zlib').deflateSync(raw)),
    chunk('IEND', new Uint8Array(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + data.length);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  out.set(data, 8);
  const { crc32 } = process.getBuiltinModule('node:zlib');
  out.writeUInt32BE(crc32(out.subarray(4, 8 + data.length)), 8 + data.length);
  return out;
}

/** The file as the address of an SVG image. */
export function dataUri(png: Buffer): string {
  return `data:image/png;base64,${png.toString('base64')}`;
}
