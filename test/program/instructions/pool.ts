import type { OpDef } from '../../../src/graph/op.js';
import { OPS } from '../../../src/ops/index.js';
import { product } from '../../runtime/convolution.js';
import type { Instruction } from '../machine.js';

const SIZES = ['in', 'kernel', 'out', 'stride', 'padLow', 'padHigh', 'dilation'];

/** `index`: what an instruction on maxima does with the taps of the largest values. */
function instruction(op: OpDef, backward: boolean, index?: 'write' | 'read'): Instruction {
  const maximum = index !== undefined;
  return {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64');
      r.sizes('n', 'c');
      for (const name of SIZES.filter((s) => s !== (maximum ? 'padHigh' : 'dilation')))
        r.sizes(...[0, 1, 2].map((a) => name + a));
      if (!maximum) r.sizes('countIncludePad', 'divisor');
      const volume = (name: string) => product([0, 1, 2].map((a) => p[name + a]));
      r.check(volume('kernel') > 0 && volume('stride') > 0, 'kernel or stride');
      r.check(!maximum || (volume('dilation') > 0 && volume('kernel') <= 255), 'dilation or taps');
      const [images, windows] = ['in', 'out'].map((name) => p.n * volume(name) * p.c);
      m.in = r.memory('read', dtype, backward ? windows : images);
      if (index === 'write') {
        m.out = r.optional('write', dtype, windows);
        m.index = r.optional('write', 'uint8', windows);
      } else {
        if (maximum) m.index = r.memory('read', 'uint8', windows);
        m.out = r.memory('write', dtype, backward ? images : windows);
      }
    },
    run(on, { p, m }, round) {
      const axes = (name: string) => [0, 1, 2].map((a) => p[name + a] ?? 1);
      const [images, windows] = ['in', 'out'].map((name) => [p.n, ...axes(name), p.c]);
      const sizes = Object.fromEntries(SIZES.map((name) => [name, axes(name)]));
      const attrs = { ...sizes, countIncludePad: p.countIncludePad === 1, divisor: p.divisor };
      const taps = index === 'read' ? [[m.index, windows] as const] : [];
      const [given, shape] = backward ? [windows, images] : [images, windows];
      on.reference(op, { in: [[m.in, given], ...taps], out: [m.out, m.index ?? null], shape, attrs }, round);
    },
  };
}

export const pool = {
  MAX_POOL: instruction(OPS.maxPool, false, 'write'),
  MAX_POOL_GRAD: instruction(OPS.maxPoolGrad, true, 'read'),
  MAX_POOL_TAKE: instruction(OPS.maxPoolTake, false, 'read'),
  AVG_POOL: instruction(OPS.avgPool, false),
  AVG_POOL_GRAD: instruction(OPS.avgPoolGrad, true),
} satisfies Record<string, Instruction>;
