// What a 64-bit little-endian ELF library asks of the system it is loaded on. binutils would say the same; this needs none.
import { readFileSync } from 'node:fs';

const SECTION = { DYNSYM: 11, DYNAMIC: 6, VERNEED: 0x6ffffffe };

/**
 * @param {string} file
 * @returns {{machine: 'x64' | 'arm64' | string, needed: string[], versions: string[], exported: string[], stripped: boolean}}
 *   libraries and symbol versions it needs, and the symbols that it shows
 */
export function readElf(file) {
  const bytes = readFileSync(file);
  if (bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) {
    throw new Error(`${file}: expected a 64-bit little-endian ELF file`);
  }
  const u16 = (at) => bytes.readUInt16LE(at);
  const u32 = (at) => bytes.readUInt32LE(at);
  const u64 = (at) => Number(bytes.readBigUInt64LE(at));
  const machine = { 62: 'x64', 183: 'arm64' }[u16(18)] ?? `machine ${u16(18)}`;
  const [table, size, count] = [u64(40), u16(58), u16(60)];
  const sections = Array.from({ length: count }, (_, i) => {
    const at = table + i * size;
    return { type: u32(at + 4), offset: u64(at + 24), size: u64(at + 32), link: u32(at + 40), info: u32(at + 44) };
  });
  const text = (section, index) => {
    const from = sections[section.link].offset + index;
    return bytes.toString('latin1', from, bytes.indexOf(0, from));
  };
  const needed = [];
  const versions = new Set();
  const exported = [];
  for (const section of sections) {
    if (section.type === SECTION.DYNAMIC) {
      for (let at = section.offset; at < section.offset + section.size; at += 16) {
        if (u64(at) === 1) needed.push(text(section, u64(at + 8)));
      }
    } else if (section.type === SECTION.VERNEED) {
      let at = section.offset;
      for (let i = 0; i < section.info; i++) {
        for (let aux = at + u32(at + 8), n = u16(at + 2); n > 0; n--, aux += u32(aux + 12))
          versions.add(text(section, u32(aux + 8)));
        at += u32(at + 12);
      }
    } else if (section.type === SECTION.DYNSYM) {
      for (let at = section.offset + 24; at < section.offset + section.size; at += 24) {
        if (u16(at + 6) !== 0 && bytes[at + 4] >> 4 !== 0) exported.push(text(section, u32(at)));
      }
    }
  }
  const stripped = !sections.some((s) => s.type === 2);
  return { machine, needed, versions: [...versions].sort(compareVersions), exported: exported.sort(), stripped };
}

/** Orders GLIBC_2.9 before GLIBC_2.28. */
export function compareVersions(a, b) {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** The newest glibc version among symbol versions, such as '2.18'; '' when none is needed. */
export function glibcFloor(versions) {
  const numbers = versions.filter((v) => v.startsWith('GLIBC_2')).map((v) => v.slice(6));
  return numbers.sort(compareVersions).at(-1) ?? '';
}
