/** Eight tables of 256: `tables[k·256 + b]` is the checksum of byte b followed by k zeros. */
let tables: Int32Array | null = null;

function makeTables(): Int32Array {
  const POLYNOMIAL = 0x82f63b78; // bits reversed
  const made = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    made[byte] = crc;
  }
  for (let i = 256; i < made.length; i++) {
    const before = made[i - 256];
    made[i] = (before >>> 8) ^ made[before & 255];
  }
  return made;
}

/**
 * CRC-32C (Castagnoli) of `bytes`, unsigned.
 * @param crc the checksum of the bytes before these, 0 at the start.
 * @see RFC 3720, appendix B.4.
 */
export function crc32c(bytes: Uint8Array, crc = 0): number {
  tables ??= makeTables();
  const t = tables;
  let c = ~crc;
  let i = 0;
  // Eight bytes a turn: the eight look-ups do not wait for each other.
  for (const end = bytes.length - 7; i < end; i += 8) {
    const low = c ^ (bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24));
    c =
      t[1792 + (low & 255)] ^
      t[1536 + ((low >>> 8) & 255)] ^
      t[1280 + ((low >>> 16) & 255)] ^
      t[1024 + (low >>> 24)] ^
      t[768 + bytes[i + 4]] ^
      t[512 + bytes[i + 5]] ^
      t[256 + bytes[i + 6]] ^
      t[bytes[i + 7]];
  }
  for (; i < bytes.length; i++) c = (c >>> 8) ^ t[(c ^ bytes[i]) & 255];
  return ~c >>> 0;
}

/** Eight hexadecimal digits. */
export function showCrc(crc: number): string {
  return crc.toString(16).padStart(8, '0');
}
