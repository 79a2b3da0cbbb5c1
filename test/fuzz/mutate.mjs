// Child process of programs.test.ts: changes words of valid programs, loads them, runs what loads, and watches the bytes
// around every buffer. A crash of this process, or a changed byte outside a writable slot, fails the test.
import { createRequire } from 'node:module';

const BYTES = [4, 8, 4, 1, 1];
const SLOTS = 2;
const HEADER_WORDS = 6;
const WRITE = 2;
const GUARD = 256;
const MAX_BUFFER = 1 << 20;

process.once('message', ({ binary, programs, count, seed }) => {
  const native = createRequire(import.meta.url)(binary);
  native.configure({ memoryLimit: 32 << 20 });
  let state = seed >>> 0;
  const below = (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const interesting = [0, 1, -1, 2, -2, 3, 4, 7, 8, 15, 16, 17, 63, 64, 65, 255, 4096, 65536, 2 ** 31 - 1, -(2 ** 31)];

  function mutate(words) {
    const out = Int32Array.from(words);
    for (let changes = 1 + below(3); changes > 0; changes--) {
      const at = below(10) === 0 ? below(HEADER_WORDS) : HEADER_WORDS + below(out.length - HEADER_WORDS);
      const way = below(4);
      if (way === 0) out[at] = interesting[below(interesting.length)];
      else if (way === 1) out[at] += below(5) - 2;
      else if (way === 2) out[at] = out[below(out.length)];
      else out[at] ^= 1 << below(32);
    }
    return out;
  }

  /** One guarded buffer a slot, or null when they would be too large. */
  function buffersFor(words) {
    const buffers = [];
    for (let i = 0; i < words[SLOTS]; i++) {
      const [dtype, elements, flags] = words.subarray(HEADER_WORDS + 3 * i, HEADER_WORDS + 3 * i + 3);
      const bytes = elements * BYTES[dtype];
      if (bytes > MAX_BUFFER) return null;
      const buffer = new ArrayBuffer(63 + bytes + GUARD);
      const all = new Uint8Array(buffer);
      // Small values are valid indices now and then, and floats that are finite, denormal or NaN.
      for (let j = 0; j < all.length; j++) all[j] = below(3) === 0 ? below(256) : j % 4 === 0 ? below(4) : 0;
      buffers.push({ buffer, bytes, writable: (flags & WRITE) !== 0, before: all.slice() });
    }
    return buffers;
  }

  const counts = { refused: 0, ran: 0, stopped: 0 };
  for (let i = 0; i < count; i++) {
    const words = mutate(programs[i % programs.length]);
    let program;
    try {
      program = native.load(words);
    } catch (error) {
      if (error.code !== 'ERR_NEURITE_PROGRAM') throw error;
      counts.refused++;
      continue;
    }
    const slots = buffersFor(words);
    if (slots === null) continue;
    const failure = native.run(
      program,
      slots.map((s) => s.buffer),
      1,
    );
    if (failure === undefined) counts.ran++;
    else counts.stopped++;
    for (const [index, { buffer, bytes, writable, before }] of slots.entries()) {
      const after = new Uint8Array(buffer);
      const start = native.alignOffset(buffer);
      for (let j = 0; j < after.length; j++) {
        const inside = writable && j >= start && j < start + bytes;
        if (!inside && after[j] !== before[j]) {
          throw new Error(`program ${i} changed byte ${j - start} of slot ${index}: ${[...words].join(' ')}`);
        }
      }
    }
  }
  process.send(counts, () => process.disconnect());
});
