import { kept, normals, uniforms } from '../../../src/ops/philox.js';
import type { Instruction, Machine } from '../machine.js';
import type { Decoded } from '../words.js';

function stream(on: Machine, i: Decoded): Parameters<typeof uniforms>[1] {
  const [low, high, index] = on.read(i.m.rng, 4);
  return { key: [low >>> 0, high >>> 0], index: (index >>> 0) + i.p.offset, dtype: i.dtype as 'float32' };
}

export const random = {
  RANDOM: {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64');
      r.sizes('distribution', 'n');
      r.doubles('a', 'b');
      r.sizes('offset');
      r.check(p.distribution <= 2, 'distribution');
      m.rng = r.memory('read', 'int32', 4);
      m.out = r.memory('write', dtype, p.n);
    },
    run(on, i, round) {
      const { a, b, n, distribution } = i.p;
      const draw = (distribution === 1 ? normals : uniforms)(n, stream(on, i));
      const value = [
        (u: number) => round(a + (b - a) * u),
        (z: number) => round(a + b * z),
        (u: number) => Number(u < a),
      ];
      on.write(i.m.out, draw.map(value[distribution]));
    },
  },

  DROPOUT: {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64');
      r.sizes('n');
      r.doubles('p');
      r.sizes('offset');
      m.rng = r.memory('read', 'int32', 4);
      m.in = r.memory('read', dtype, p.n);
      m.out = r.memory('write', dtype, p.n);
    },
    run(on, i, round) {
      const { n, p } = i.p;
      const mask = kept(n, p, stream(on, i));
      const scale = round(1 / (1 - p));
      on.write(
        i.m.out,
        on.read(i.m.in, n).map((x, j) => (mask[j] === 1 ? round(x * scale) : 0)),
      );
    },
  },
} satisfies Record<string, Instruction>;
