import { describe, expect, it } from 'vitest';
import { gradcheck } from '../../src/autodiff/index.js';
import { itemOf, type Tensor } from '../../src/graph/tensor.js';
import { OPS, type OpName } from '../../src/ops/index.js';
import { MICRO_ARITY, Micro, Opcode, type OpcodeName, Reduction } from '../../src/program/opcodes.gen.js';
import { sizeOf } from '../../src/shape.js';
import { dtypeIn, evaluate, isGradChecked, isSmall, listOf, type OpCase, referenceLeaf } from './case.js';
import { CASES, COMPOSED } from './cases.js';

const names = Object.keys(OPS) as OpName[];
const all: [string, readonly OpCase[]][] = [...Object.entries(CASES), ...Object.entries(COMPOSED)];

describe('op records', () => {
  it.each(names)('%s has cases and consistent fields', (name) => {
    const op = OPS[name];
    expect(op.name).toBe(name);
    expect(CASES[name].length).toBeGreaterThan(0);
    if (op.kind === 'elementwise' && op.micro !== 'CAST') {
      expect(Micro).toHaveProperty(op.micro as string);
      if (name !== 'where') expect(op.reference.length).toBe(MICRO_ARITY[op.micro as keyof typeof MICRO_ARITY]);
    }
    if (op.kind === 'reduce') expect(Reduction).toHaveProperty(op.reduction as string);
    if (op.kind === 'movement') expect(Number(op.view !== undefined) + Number(op.place !== undefined)).toBe(1);
    if (op.kind === 'coarse') expect(op.lower).toBeTypeOf('function');
  });
  it('every micro-operation, reduction and instruction of its own has an op', () => {
    const used = new Set(names.flatMap((n) => [OPS[n].micro, OPS[n].reduction]));
    for (const micro of [...Object.keys(Micro), ...Object.keys(Reduction)]) expect(used).toContain(micro);
    const general: OpcodeName[] = ['FUSED', 'COPY', 'PLACE', 'REDUCE', 'GEMM'];
    const lowered = new Set<string>(general);
    for (const [name, cases] of Object.entries(CASES) as [OpName, readonly OpCase[]][]) {
      const { lower } = OPS[name];
      if (lower === undefined) continue;
      const c = cases[0];
      const nodes = producers(listOf(c.run(...c.inputs.map((x) => referenceLeaf(x)))));
      const node = nodes.find((n) => n.op === OPS[name]) as Tensor;
      lowered.add(lower({ inputs: node.inputs, outs: node.outs ?? [node], attrs: node.attrs }).opcode);
    }
    expect([...lowered].sort()).toEqual(Object.keys(Opcode).sort());
  });
});

describe.each(all)('%s', (name, cases) => {
  const op = name in OPS ? OPS[name as OpName] : null;
  it.each(cases)('$name', (c) => {
    const inputs = c.inputs.map((x) => referenceLeaf(x, dtypeIn(x, 'float64')));
    const outputs = listOf(c.run(...inputs));
    const values = evaluate(outputs);
    for (const [i, y] of outputs.entries()) expect(values[i].length).toBe(sizeOf(y.shape));
    if (c.expected !== undefined) expectClose(values[0], c.expected);

    if (op?.vjp !== null && isGradChecked(c)) gradcheck(c.run, inputs, { evaluate, order: 2 });
  });

  const decompose = op?.decompose;
  if (op === null || decompose === undefined) return;
  it.each(cases.filter(isSmall))('$name: decompose() agrees', (c) => {
    const inputs = c.inputs.map((x) => referenceLeaf(x, dtypeIn(x, 'float64')));
    const node = producers(listOf(c.run(...inputs))).find((n) => n.op === op) as Tensor;
    if (sizeOf(node.shape) === 0) return;
    const coarse = node.outs === null ? [node] : node.outs.map((_, i) => itemOf(node, i));
    const fine = listOf(decompose(node.inputs, node.attrs));
    const [expected, actual] = [evaluate(coarse), evaluate(fine)];
    fine.forEach((f, i) => {
      expect(f.dtype).toBe(coarse[i].dtype);
      expect(f.shape).toEqual(coarse[i].shape);
      expectClose(actual[i], expected[i]);
    });
  });
});

function producers(roots: readonly Tensor[]): Tensor[] {
  const found = new Set(roots);
  for (const n of found) for (const x of n.inputs) found.add(x);
  return [...found];
}

/** Equal up to a few roundings of float64. */
function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i], expected[i]];
    const close = Object.is(a, e) || a === e || Math.abs(a - e) <= 1e-7 * Math.max(1e-6, Math.abs(e));
    expect(close, `element ${i}: got ${a}, expected ${e}`).toBe(true);
  }
}
