import { NUMBERS, RULES, type Rule as RuleOf } from '../../../src/ops/optim-rules.js';
import { RULE_OPTIONS, Rule } from '../../../src/program/opcodes.gen.js';
import type { Instruction } from '../machine.js';
import type { Decoded, Memory } from '../words.js';

export const optim = {
  OPTIM: {
    decode(r) {
      const { p, m, dtype } = r;
      r.expect('float32', 'float64');
      r.sizes('rule', 'flags', 'present');
      r.check(p.rule < RULE_OPTIONS.length && p.flags < 32 && p.present < 8, 'rule');
      r.constants = r.list(RULE_OPTIONS[p.rule], () => r.f64());
      r.doubles('weightDecay', 'clipValue', 'l1');
      r.check(p.clipValue >= 0, 'clipValue');
      m.lr = r.memory('read', 'float64', 1);
      m.step = r.memory('update', 'int32', 1);
      m.scale = r.optional('read', 'float64', 1);
      m.gate = r.optional('read', 'float64', 1);
      r.params = r.list(r.size(), () => {
        const n = r.size();
        const one: Record<string, Memory> = { w: r.memory('update', dtype, n), g: r.memory('read', dtype, n) };
        for (let s = 0; s < 3; s++) if ((p.present >> s) & 1) one[`s${s}`] = r.memory('update', dtype, n);
        return { n, m: one };
      });
    },
    run(on, { p, m, params, constants }, round) {
      const [lr] = on.read(m.lr, 1);
      const [step] = on.read(m.step, 1);
      if (m.gate !== null && on.read(m.gate, 1)[0] === 0) return;
      const scale = m.scale === null ? 1 : on.read(m.scale, 1)[0];
      const next = ruleOf(p, constants, lr, step + 1);
      for (const { n, m: memory } of params) {
        const g = on.read(memory.g, n);
        const cells = Object.keys(memory).filter((name) => name !== 'g');
        const values = cells.map((name) => on.read(memory[name], n));
        for (let i = 0; i < n; i++) {
          const [w, ...slots] = values.map((v) => v[i]);
          const clipped = Math.min(Math.max(round(g[i] * round(scale)), -p.clipValue), p.clipValue);
          const d = round((p.flags & 1 ? -clipped : clipped) + p.l1 * Math.sign(w));
          const decoupled = (p.flags & 2) !== 0;
          const kept = decoupled ? round(w * (1 - lr * p.weightDecay)) : w;
          const result = next(kept, decoupled ? d : round(d + p.weightDecay * w), slots);
          for (const [k, x] of result.entries()) values[k][i] = round(x);
        }
        for (const [k, name] of cells.entries()) on.write(memory[name], values[k]);
      }
      on.write(m.step, Float64Array.of(step + 1));
    },
  },

  SUM_SQUARES: {
    decode(r) {
      r.expect('float32', 'float64');
      r.params = r.list(r.size(), () => {
        const n = r.size();
        return { n, m: { g: r.memory('read', r.dtype, n) } };
      });
      r.m.out = r.memory('write', 'float64', 1);
    },
    run(on, { m, params }) {
      const squares = params.map((one) => on.read(one.m.g, one.n).reduce((s, v) => s + v * v, 0));
      on.write(m.out, Float64Array.of(squares.reduce((a, b) => a + b, 0)));
    },
  },
} satisfies Record<string, Instruction>;

/** The rules that the programs of these tests use, from the words of the instruction. */
function ruleOf({ rule, flags, present }: Decoded['p'], o: readonly number[], lr: number, t: number) {
  const use = <A>(r: RuleOf<A>, attrs: A) => {
    const scalars = r.scalars(NUMBERS, attrs, lr, t);
    return (w: number, g: number, slots: readonly number[]) => r.step(NUMBERS, attrs, w, g, slots, scalars);
  };
  if (rule === Rule.SGD && flags < 8) {
    const momentum = present === 0 ? 0 : o[0];
    return use(RULES.sgd, { momentum, dampening: o[1], nesterov: (flags & 4) !== 0, form: 'sum' });
  }
  if (rule === Rule.ADAM && present === 3) {
    const [beta1, beta2, eps] = o;
    const rest = { epsInSqrt: (flags & 4) !== 0, biasCorrection: (flags & 8) === 0, amsgrad: false };
    return use(RULES.adam, { beta1, beta2, eps, ...rest });
  }
  throw new Error(`the interpreter has no rule ${rule} with flags ${flags}`);
}
