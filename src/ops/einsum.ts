import { isFloat } from '../dtype.js';
import { OptionError, ShapeError } from '../errors.js';
import type { Tensor } from '../graph/tensor.js';
import { shown } from '../options.js';
import { sizeOf } from '../shape.js';
import { mul } from './elementwise.js';
import { matmul } from './matmul.js';
import { diagonal } from './matrix.js';
import { broadcastTo, expandDims, permute, reshape } from './movement.js';
import { type Operand, operandPair, toTensor } from './operand.js';
import { sum } from './reduce.js';

interface Term {
  readonly labels: readonly string[];
  readonly value: Tensor;
}

const WHAT = 'expected letters for axes, "..." for the rest and "," between operands, as in "ij,jk->ik"';

/** Letters of each operand and of the result; "..." becomes numbers counted from the back, which broadcast. */
function parseEquation(equation: string, operands: readonly Tensor[]): { inputs: string[][]; output: string[] } {
  if (typeof equation !== 'string') throw new ShapeError(`einsum: got ${shown(equation)} as the equation, ${WHAT}`);
  const compact = equation.replaceAll(' ', '');
  const [left, right, extra] = compact.split('->');
  const terms = left.split(',');
  const legal = /^[A-Za-z]*(\.\.\.)?[A-Za-z]*$/;
  if (extra !== undefined || ![...terms, right ?? ''].every((t) => legal.test(t))) {
    throw new OptionError(`einsum: got "${equation}", ${WHAT}`);
  }
  if (terms.length !== operands.length) {
    throw new OptionError(`einsum: "${equation}" names ${terms.length} operands, got ${operands.length}`);
  }
  let rest = 0;
  const expand = (term: string, count: number) => {
    const [before, after] = term.split('...');
    return after === undefined ? [...before] : [...before, ...numbered(count), ...after];
  };
  const numbered = (count: number) => Array.from({ length: count }, (_, i) => String(count - 1 - i));
  const inputs = terms.map((term, i) => {
    const rank = operands[i].shape.length;
    const letters = term.replace('...', '').length;
    const free = term.includes('...') ? rank - letters : 0;
    if (free < 0 || letters + free !== rank) {
      throw new ShapeError(
        `einsum: "${term}" in "${equation}" does not fit operand ${i} of shape [${operands[i].shape}]`,
      );
    }
    rest = Math.max(rest, free);
    return expand(term, free);
  });
  const all = inputs.flat();
  const once = [...new Set(all)].filter((l) => /\D/.test(l) && all.indexOf(l) === all.lastIndexOf(l)).sort();
  const output = right === undefined ? [...numbered(rest), ...once] : expand(right, right.includes('...') ? rest : 0);
  const unknown = output.find((l, i) => !all.includes(l) || output.indexOf(l) !== i);
  if (unknown !== undefined) {
    throw new OptionError(`einsum: "${unknown}" of the result of "${equation}" is repeated or in no operand`);
  }
  return { inputs, output };
}

/** An axis that a letter names twice becomes the diagonal of both. */
function distinct({ labels, value }: Term): Term {
  const second = labels.findIndex((l, i) => labels.indexOf(l) !== i);
  if (second < 0) return { labels, value };
  const first = labels.indexOf(labels[second]);
  if (value.shape[first] !== value.shape[second]) {
    throw new ShapeError(
      `einsum: "${labels[second]}" is ${value.shape[first]} and ${value.shape[second]} in [${value.shape}]`,
    );
  }
  const others = labels.map((_, i) => i).filter((i) => i !== first && i !== second);
  const moved = diagonal(permute(value, [...others, first, second]));
  return distinct({ labels: [...others.map((i) => labels[i]), labels[first]], value: moved });
}

/** Sums over axes that nothing later needs. */
function without({ labels, value }: Term, needed: ReadonlySet<string>): Term {
  const gone = labels.flatMap((l, i) => (needed.has(l) ? [] : [i]));
  if (gone.length === 0) return { labels, value };
  return { labels: labels.filter((l) => needed.has(l)), value: sum(value, { axis: gone }) };
}

/** The product of two terms as one batched matrix product: shared axes that stay are batches, the others are summed. */
function contract(a: Term, b: Term, needed: ReadonlySet<string>): Term {
  const [x, y] = operandPair('einsum', a.value, b.value);
  const shared = a.labels.filter((l) => b.labels.includes(l));
  const batch = shared.filter((l) => needed.has(l));
  const inner = shared.filter((l) => !needed.has(l));
  const onlyA = a.labels.filter((l) => !shared.includes(l));
  const onlyB = b.labels.filter((l) => !shared.includes(l));
  const size = (l: string) => {
    const of = (t: Term) => (t.labels.includes(l) ? t.value.shape[t.labels.indexOf(l)] : 1);
    const [p, q] = [of(a), of(b)];
    if (p !== q && p !== 1 && q !== 1)
      throw new ShapeError(`einsum: axis "${l}" is ${p} in one operand, ${q} in another`);
    return p === 1 ? q : p;
  };
  const shape = (labels: readonly string[]) => labels.map(size);
  const arranged = (t: Term, value: Tensor, ...groups: readonly (readonly string[])[]) => {
    const order = groups.flat();
    const moved = permute(
      value,
      order.map((l) => t.labels.indexOf(l)),
    );
    const full = broadcastTo(moved, shape(order));
    return reshape(full, [...shape(groups[0]), ...groups.slice(1).map((g) => sizeOf(shape(g)))]);
  };
  const value = product(arranged(a, x, batch, onlyA, inner), arranged(b, y, batch, inner, onlyB));
  return { labels: [...batch, ...onlyA, ...onlyB], value: reshape(value, shape([...batch, ...onlyA, ...onlyB])) };
}

/** Integers have no matrix product of their own. */
function product(a: Tensor, b: Tensor): Tensor {
  if (isFloat(a.dtype)) return matmul(a, b);
  return sum(mul(expandDims(a, -1), expandDims(b, -3)), { axis: -2 });
}

/**
 * Sums of products by Einstein's convention: each axis has a letter, letters that the result does not name are summed over.
 * `einsum('ij,jk->ik', a, b)` is the matrix product, `'ii->'` the trace, `'i,j->ij'` the outer product, `'bij,bjk->bik'` a
 * batch of products. Without `->` the result has the letters that come once, in alphabetical order; `...` stands for the other
 * axes, which broadcast. Operands are contracted from left to right.
 * @param equation letters of each operand, separated by commas, and of the result
 * @param operands as many as the equation names, of one dtype
 * @returns the axes of the result in the order of its letters
 * @throws OptionError when the equation is malformed, ShapeError when sizes of a letter differ, DTypeError when dtypes do not mix
 * @example einsum('ij,ij->i', tensor([[1, 2], [3, 4]]), tensor([[1, 1], [1, 1]])); // [3, 7]
 * @see NumPy, numpy.einsum; PyTorch, torch.einsum
 */
export function einsum(equation: string, ...operands: readonly Operand[]): Tensor {
  const tensors = operands.map((x) => toTensor(x, undefined, 'einsum'));
  const { inputs, output } = parseEquation(equation, tensors);
  const terms = tensors.map((value, i) => distinct({ labels: inputs[i], value }));
  let total = terms[0];
  for (const [i, term] of terms.entries()) {
    if (i === 0) continue;
    const needed = new Set([...output, ...terms.slice(i + 1).flatMap((t) => t.labels)]);
    const first = without(total, new Set([...needed, ...term.labels]));
    const second = without(term, new Set([...needed, ...total.labels]));
    total = contract(first, second, needed);
  }
  const { labels, value } = without(total, new Set(output));
  return permute(
    value,
    output.map((l) => labels.indexOf(l)),
  );
}
