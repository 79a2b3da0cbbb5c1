import { type DType, isFloat } from '../dtype.js';
import { fullOp } from '../graph/leaves.js';
import type { Lowering } from '../graph/op.js';
import { sizeOf } from '../shape.js';
import { type Gemm, gemmShape } from './epilogue.js';
import type { FoldedRelu } from './fold-relu.js';
import { computeDType, outputsOf } from './fuse.js';
import {
  convert,
  copy,
  FusedWriter,
  fill as fillWith,
  InstructionWriter,
  type Origin,
  place,
  type Register,
} from './instructions.js';
import { Buffer, type Instruction, type Node } from './ir.js';
import { type Lowerer, originOf } from './lowerer.js';
import {
  Activation,
  type ActivationName,
  type MicroName,
  type OpcodeName,
  Reduction,
  type ReductionName,
} from './opcodes.gen.js';
import { reducedLast, reductionShape } from './reduction.js';
import { constantOf } from './simplify.js';
import { broadcastView, permuteView } from './views.js';

/** One FUSED instruction for a group of elementwise nodes. */
export function lowerGroup(state: Lowerer, group: readonly Node[]): void {
  const last = group[group.length - 1];
  const fused = new FusedWriter(computeDType(last), last.shape);
  const registers = new Map<Node, Register>();
  const register = (x: Node): Register => {
    let r = registers.get(x);
    if (r === undefined) {
      const { base, view } = state.located[x.index];
      const value = constantOf(base);
      r = value !== null ? fused.constant(value) : fused.input(state.buffer(base), broadcastView(view, last.shape));
      registers.set(x, r);
    }
    return r;
  };
  for (const node of group) {
    const operands = node.inputs.map(register);
    let result: Register;
    if (node.op.micro !== 'CAST') result = fused.micro(node.op.micro as MicroName, operands);
    else if (node.dtype === 'bool') result = fused.micro('NOT_EQUAL', [operands[0], fused.constant(0)]);
    else result = operands[0];
    registers.set(node, result);
  }
  for (const node of outputsOf(group)) fused.output(state.buffer(node), registers.get(node) as Register);
  state.emit(last, [fused.done(groupOrigin(group, last))]);
}

function groupOrigin(group: readonly Node[], { source }: Node): Origin {
  return { op: groupName(group), scope: source.scope, nodes: group.map((n) => n.position) };
}

function groupName(group: readonly Node[]): string {
  const names = group.map((n) => n.op.name);
  return names.length <= 6 ? names.join('+') : `${names.slice(0, 5).join('+')}+${names.length - 5} more`;
}

/** A product with all that was folded into it. */
export function lowerGemm(state: Lowerer, gemm: Gemm): void {
  const { product, out } = gemm;
  const [a, b] = product.inputs;
  const { batch, m, n, k } = gemmShape(product);
  const merged = batch !== sizeOf(product.shape.slice(0, -2));
  const lead = merged ? [] : product.shape.slice(0, -2);
  const left = merged ? { buffer: state.dense(a), transposed: false, stride: 0 } : matrix(state, a, lead);
  const right = matrix(state, b, lead);
  const { colsum } = gemm;
  const writer = new InstructionWriter('GEMM', out.dtype)
    .put(Number((product.attrs['transA'] === true) !== left.transposed))
    .put(Number((product.attrs['transB'] === true) !== right.transposed))
    .put(...activationWords(gemm))
    .put(batch, m, n, k, left.stride, right.stride)
    .read(left.buffer)
    .read(right.buffer)
    .write(state.buffer(out));
  const instruction = readEpilogue(state, writer, gemm)
    .write(colsum === null ? null : state.buffer(colsum))
    .done(groupOrigin(gemm.members, product), 2 * batch * m * n * k);
  state.emit(gemm.members[gemm.members.length - 1], [instruction]);
}

interface Matrix {
  readonly buffer: Buffer;
  readonly transposed: boolean;
  /** Elements between batches, 0 when one matrix serves all. */
  readonly stride: number;
}

/** An operand of GEMM: read where it is when its window is a matrix as stored, or stored transposed; else copied. */
function matrix(state: Lowerer, x: Node, batchShape: readonly number[]): Matrix {
  const located = state.located[x.index];
  const { shape, strides, offset } = located.view;
  const axis = shape.length - 2;
  const [rows, cols] = [shape[axis], shape[axis + 1]];
  const count = sizeOf(shape.slice(0, axis));
  const stride = count === 1 ? 0 : rows * cols;
  if (count !== 1 && count !== sizeOf(batchShape)) {
    return { buffer: broadcastBatches(state, x, batchShape), transposed: false, stride: rows * cols };
  }
  const stored = (s0: number, s1: number) =>
    (rows === 1 || strides[axis] === s0) && (cols === 1 || strides[axis + 1] === s1);
  const elements = sizeOf(located.base.shape);
  const plain = located.base.op !== fullOp && offset === 0 && elements > 0;
  let expected = rows * cols;
  let inOrder = elements === count * rows * cols;
  let shared = elements === rows * cols;
  for (let i = axis - 1; i >= 0; i--) {
    if (shape[i] === 1) continue;
    inOrder &&= strides[i] === expected;
    shared &&= strides[i] === 0;
    expected *= shape[i];
  }
  if (plain && (inOrder || shared)) {
    const where = { buffer: state.buffer(located.base), stride: shared ? 0 : stride };
    if (stored(cols, 1)) return { ...where, transposed: false };
    if (stored(1, rows)) return { ...where, transposed: true };
  }
  return { buffer: state.dense(x), transposed: false, stride };
}

function broadcastBatches(state: Lowerer, x: Node, batchShape: readonly number[]): Buffer {
  const { base, view } = state.located[x.index];
  const full = broadcastView(view, [...batchShape, ...view.shape.slice(-2)]);
  const buffer = new Buffer(x.dtype, sizeOf(full.shape));
  if (buffer.elements > 0) state.emit(x, [copy(state.buffer(base), full, buffer, originOf(x))]);
  return buffer;
}

/** REDUCE, with a copy before it when the reduced axes are not next to each other (or not last, for an index). */
export function lowerReduce(state: Lowerer, node: Node): void {
  const [x] = node.inputs;
  const axes = node.attrs['axes'] as readonly number[];
  const reduction = node.op.reduction as ReductionName;
  const isIndex = reduction === 'ARGMAX' || reduction === 'ARGMIN';
  const instructions: Instruction[] = [];
  let shape = reductionShape(x.shape, axes);
  let input: Buffer;
  if (shape === null || (isIndex && shape.inner !== 1)) {
    const { base, view } = state.located[x.index];
    const r = sizeOf(axes.map((a) => x.shape[a]));
    shape = { outer: sizeOf(node.shape), r, inner: 1 };
    input = new Buffer(x.dtype, sizeOf(x.shape));
    const order = reducedLast(x.shape.length, axes);
    if (input.elements > 0)
      instructions.push(copy(state.buffer(base), permuteView(view, order), input, originOf(node)));
  } else {
    input = state.dense(x);
  }
  // Bytes are reduced as int32.
  const dtype: DType = isFloat(x.dtype) ? x.dtype : 'int32';
  if (dtype !== input.dtype) {
    const wide = new Buffer(dtype, input.elements);
    if (input.elements > 0) instructions.push(convert(input, wide, originOf(node)));
    input = wide;
  }
  const out = state.buffer(node);
  const result = isIndex || node.dtype === dtype ? out : new Buffer(dtype, out.elements);
  instructions.push(
    new InstructionWriter('REDUCE', dtype)
      .put(Reduction[reduction], shape.outer, shape.r, shape.inner)
      .read(input)
      .write(result)
      .done(originOf(node), sizeOf(x.shape)),
  );
  if (result !== out) instructions.push(convert(result, out, originOf(node)));
  state.emit(node, instructions);
}

/** Inputs put into regions of the result, after a fill where they leave gaps. */
export function lowerPlace(state: Lowerer, node: Node): void {
  const inputs = node.inputs;
  const { fill, regions } = (node.op.place as NonNullable<Node['op']['place']>)(node.source.inputs, node, node.attrs);
  const out = state.buffer(node);
  const instructions = fill === null ? [] : [fillWith(out, fill, originOf(node))];
  regions.forEach((region, i) => {
    if (sizeOf(region.shape) > 0) instructions.push(place(state.dense(inputs[i]), region, out, originOf(node)));
  });
  state.emit(node, instructions);
}

/** An instruction of its own, as its record says, with what was folded into it. */
export function lowerCoarse(state: Lowerer, node: Node, folded: Gemm | null, relu: FoldedRelu | null): void {
  const { op, source, attrs } = node;
  if (op.lower === undefined) throw new Error(`internal: ${op.name} has no lowering`);
  const outs = node.outs ?? [node];
  if (outs.every((o) => sizeOf(o.shape) === 0)) return;
  const lowering = op.lower({ inputs: source.inputs, outs, attrs });
  const pairs = op.aliases?.(source.inputs, attrs) ?? [];
  const outputOver = new Map(pairs.map(([out, input]) => [input, out]));
  const updated = new Set(pairs.map(([out]) => out));
  const used = usedOutputs(node);
  const dtype = lowering.dtype ?? (node.inputs.length > 0 ? node.inputs[0].dtype : outs[0].dtype);
  const writer = new InstructionWriter(lowering.opcode as OpcodeName, dtype);
  if (folded !== null) writer.put(...activationWords(folded));
  writer.put(...lowering.params);
  const output = (i: number): void => {
    if (updated.has(i)) writer.update(state.buffer(node, i));
    else
      writer.write(
        op.optionalOutputs === true && !used.has(i)
          ? null
          : state.buffer(i === 0 ? (folded?.out ?? relu?.out ?? node) : node, i),
      );
  };
  const input = (j: number): void => {
    const out = outputOver.get(j);
    if (out === undefined) writer.read(state.dense(j === 0 && relu?.g ? relu.g : node.inputs[j]));
    else output(out);
  };
  // Inputs, then outputs that are not an input updated in place.
  const standard = (): NonNullable<Lowering['tail']> => [
    ...node.inputs.map((_, j) => ({ in: j })),
    ...outs.map((_, i) => ({ out: i })).filter((t) => !updated.has(t.out)),
  ];
  for (const token of lowering.tail ?? standard()) {
    if (typeof token === 'number') writer.put(token);
    else if (token === 'rng') writer.read(state.rng());
    else if (token === 'rngOffset') writer.put((attrs['index'] as number) - state.graph.rngBase);
    else if (token === 'relu') writer.put(Number(relu !== null));
    else if (token === 'reluBias') writer.read(relu?.bias ? state.dense(relu.bias) : null);
    else if (token === 'none') writer.read(null);
    else if ('in' in token) input(token.in);
    else output(token.out);
  }
  if (folded !== null) readEpilogue(state, writer, folded);
  const elements = [...outs, ...node.inputs].reduce((n, o) => n + sizeOf(o.shape), 0);
  const flops = op.flops?.({ inputs: node.inputs, outs, attrs }) ?? elements;
  const aliases = pairs.map(([out, input]) => ({ out: state.buffer(node, out), in: state.dense(node.inputs[input]) }));
  const members = folded?.members ?? relu?.members ?? [node];
  const instruction = writer.done(groupOrigin(members, node), flops);
  state.emit(folded === null ? node : members[members.length - 1], [instruction], aliases);
}

function activationWords({ activation, activationGrad }: Gemm): number[] {
  return [Activation[activation as ActivationName], Activation[activationGrad as ActivationName]];
}

/** The operands that every folded instruction ends with. */
function readEpilogue(state: Lowerer, writer: InstructionWriter, { bias, aux }: Gemm): InstructionWriter {
  return writer
    .read(bias === null ? null : state.buffer(state.located[bias.index].base))
    .read(aux === null ? null : state.dense(aux));
}

function usedOutputs(node: Node): Set<number> {
  const used = new Set<number>();
  if (node.pinned) used.add(0);
  for (const user of node.users) used.add(user.op.kind === 'item' ? (user.attrs['index'] as number) : 0);
  return used;
}
