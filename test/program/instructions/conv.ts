import { conv, forProducts, product } from '../../runtime/convolution.js';
import type { Instruction } from '../machine.js';
import { finished } from '../micro.js';
import type { Decoded } from '../words.js';

const axes = (p: Decoded['p'], name: string): number[] => [0, 1, 2].map((a) => p[name + a]);

/** Elements of the input, the weight and the output. */
function extents({ n, c, o, groups, ...p }: Decoded['p']): { x: number; w: number; y: number } {
  const volume = (name: string) => product(axes(p, name));
  return { x: n * volume('in') * c, w: ((o * c) / groups) * volume('kernel'), y: n * volume('out') * o };
}

/** Which of x, w and y are the first operand, the second and the result. */
function instruction(a: 'x' | 'y', b: 'w' | 'y', out: 'x' | 'w' | 'y'): Instruction {
  return {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64');
      if (out !== 'w') r.sizes('activation', 'activationGrad');
      r.sizes('n', 'c', 'o', 'groups');
      for (const name of ['in', 'kernel', 'out', 'stride', 'pad', 'dilation'])
        r.sizes(...[0, 1, 2].map((axis) => name + axis));
      r.check(p.groups > 0 && p.c % p.groups === 0 && p.o % p.groups === 0, 'groups');
      const steps = ['kernel', 'stride', 'dilation'].flatMap((name) => axes(p, name));
      r.check(product(steps) > 0, 'kernel, stride or dilation');
      const n = extents(p);
      m.a = r.memory('read', dtype, n[a]);
      m.b = r.memory('read', dtype, n[b]);
      m.out = r.memory('write', dtype, n[out]);
      if (out === 'w') return;
      m.bias = r.optional('read', dtype, out === 'x' ? p.c : p.o);
      m.aux = r.optional('read', dtype, n[out]);
      r.check((m.aux !== null) === (p.activationGrad !== 0), 'aux');
    },
    run(on, i, round) {
      const { p, m } = i;
      const n = extents(p);
      const [first, second, sums] = [on.read(m.a, n[a]), on.read(m.b, n[b]), new Float64Array(n[out])];
      const geometry = conv({
        ...{ n: p.n, c: p.c, o: p.o, groups: p.groups },
        ...{ in: axes(p, 'in'), kernel: axes(p, 'kernel'), out: axes(p, 'out') },
        ...{ stride: axes(p, 'stride'), pad: axes(p, 'pad'), dilation: axes(p, 'dilation') },
      });
      forProducts(geometry, (x, w, y) => {
        const at = { x, w, y };
        sums[at[out]] = round(sums[at[out]] + round(first[at[a]] * second[at[b]]));
      });
      if (out !== 'w') {
        const channels = out === 'x' ? p.c : p.o;
        const bias = m.bias === null ? null : on.read(m.bias, channels);
        const aux = m.aux === null ? null : on.read(m.aux, n[out]);
        for (let at = 0; at < sums.length; at++)
          sums[at] = finished(i, sums[at], bias?.[at % channels] ?? null, aux?.[at] ?? 0, round);
      }
      on.write(m.out, sums);
    },
  };
}

export const convolution = {
  CONV: instruction('x', 'w', 'y'),
  CONV_DATA_GRAD: instruction('y', 'w', 'x'),
  CONV_WEIGHT_GRAD: instruction('x', 'y', 'w'),
} satisfies Record<string, Instruction>;
