// Reads the machine code of the built addon: a vector that the compiler keeps on the stack inside a micro-kernel's k loop
// halves its speed, and no test of results would see it.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const addon = process.env.NEURITE_BINARY ?? fileURLToPath(new URL('../../build/Release/neurite.node', import.meta.url));

const reason =
  process.arch !== 'x64'
    ? `reads x86-64 code, this is ${process.arch}`
    : spawnSync('objdump', ['--version']).status !== 0
      ? 'objdump (binutils) is not installed'
      : '';

interface Loop {
  readonly address: number;
  readonly code: readonly string[];
}

/** Innermost loops: straight code that ends in a jump back to its beginning. */
function innermostLoops(disassembly: string): Loop[] {
  const loops: Loop[] = [];
  const index = new Map<number, number>();
  let start = 0; // of the straight code: after the last jump
  const lines: { address: number; code: string }[] = [];
  for (const line of disassembly.split('\n')) {
    const match = /^\s*([0-9a-f]+):\t(.*)$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) continue;
    const address = Number.parseInt(match[1], 16);
    const code = match[2];
    index.set(address, lines.length);
    lines.push({ address, code });
    const jump = /^(?:j\w+|call|ret)\s*([0-9a-f]+)?/.exec(code);
    if (!jump) continue;
    const target = jump[1] === undefined ? undefined : index.get(Number.parseInt(jump[1], 16));
    if (code.startsWith('j') && target !== undefined && target >= start) {
      loops.push({ address: lines[target]?.address ?? 0, code: lines.slice(target).map((l) => l.code) });
    }
    start = lines.length;
  }
  return loops;
}

const isFma = (code: string): boolean => /^vfn?m(?:add|sub)\d+ps/.test(code);
/** One element of A, to all lanes; what is relative to rip is a constant. */
const isBroadcast = (code: string): boolean =>
  /^vbroadcastss [^%]*\((?!%rip)|^vfn?madd\d+ps [^%]*\((?!%rip)[^)]*\)\{1to/.test(code);
const onStack = (code: string): boolean => /%[yz]mm/.test(code) && /\(%rsp[,)]|-0x[0-9a-f]+\(%rbp\)/.test(code);
const stores = (code: string): boolean => /^vmov\w+ +%[yz]mm\d+,.*\(/.test(code);

/** A k loop multiplies at least one broadcast element into at least one vector, and keeps all sums in registers. */
const isKLoop = (loop: Loop): boolean => loop.code.some(isFma) && loop.code.some(isBroadcast);
/** What is stored as it was loaded is a row of B on its way to a panel. */
const copies = (loop: Loop, code: string): boolean => {
  const [, vector = '?'] = /(%[yz]mm\d+),/.exec(code) ?? [];
  return !onStack(code) && loop.code.some((c) => /^vmovup\w +[^%]*\(/.test(c) && c.endsWith(`,${vector}`));
};
const spills = (loop: Loop): string[] =>
  loop.code.filter((c) => (stores(c) && !copies(loop, c)) || (onStack(c) && !isBroadcast(c)));

describe('micro-kernels', () => {
  it('the reader of machine code sees a spill', () => {
    const code = (...lines: string[]): string => lines.map((l, i) => ` ${(16 + i).toString(16)}:\t${l}`).join('\n');
    const clean = ['vbroadcastss (%rax),%zmm1', 'vfmadd231ps %zmm1,%zmm2,%zmm3', 'jne    10 <x>'];
    const [loop] = innermostLoops(code(...clean));
    expect(loop && isKLoop(loop) && spills(loop)).toEqual([]);
    for (const spill of ['vmovups %zmm3,0x40(%rsp)', 'vmovaps 0x40(%rsp),%zmm3', 'vaddps 0x40(%rsp),%ymm1,%ymm3']) {
      const [bad] = innermostLoops(code(clean[0] as string, spill, ...clean.slice(1)));
      expect(bad && isKLoop(bad) && spills(bad)).toEqual([spill]);
    }
    const [packs] = innermostLoops(code('vmovups (%rdi),%zmm2', 'vmovups %zmm2,(%rsi)', ...clean));
    expect(packs && isKLoop(packs) && spills(packs)).toEqual([]);
  });

  it.skipIf(reason !== '')(`no vector is spilled in a k loop${reason === '' ? '' : ` (not run: ${reason})`}`, () => {
    const { stdout, status } = spawnSync('objdump', ['-d', '--no-show-raw-insn', addon], {
      encoding: 'utf8',
      maxBuffer: 2 ** 29,
    });
    expect(status).toBe(0);
    const loops = innermostLoops(stdout).filter(isKLoop);
    const tiles = (register: string): number => loops.filter((l) => l.code.some((c) => c.includes(register))).length;
    // Two ways to read A for every height and width of a tile: 14 x 2 and 6 more x 2 of AVX-512, 6 x 2 and 2 x 2 of AVX2; and
    // one of convolution for every height and width.
    expect(tiles('%zmm')).toBeGreaterThanOrEqual(2 * (14 * 2 + 6 * 2) + 14 * 2);
    expect(tiles('%ymm')).toBeGreaterThanOrEqual(2 * (6 * 2 + 2 * 2) + 6 * 2);
    const bad = loops.flatMap((loop) => spills(loop).map((code) => `${loop.address.toString(16)}: ${code}`));
    expect(bad).toEqual([]);
  });
});
