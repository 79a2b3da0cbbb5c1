import {
  Activation,
  DTypeCode,
  HEADER_WORDS,
  Header,
  MICRO_ARITY,
  Micro,
  type MicroName,
  NONE,
  Opcode,
  Reduction,
  RULE_OPTIONS,
  Rule,
  SLOT_WORDS,
  SlotFlag,
} from './opcodes.gen.js';

const invert = (table: Readonly<Record<string, number>>): Map<number, string> =>
  new Map(Object.entries(table).map(([name, code]) => [code, name]));
const OPCODES = invert(Opcode);
const DTYPES = invert(DTypeCode);
const MICROS = invert(Micro);
const REDUCTIONS = invert(Reduction);
const ACTIVATIONS = invert(Activation);
const RULES = invert(Rule);

/** Encoded program as text, read back from its words: slots, then one line an instruction. Slots are %n, arena bytes @n. */
export function printProgram(
  words: Int32Array,
  labels: readonly string[],
  origins: readonly { readonly op: string; readonly scope: string }[],
): string {
  const slots = words[Header.SLOTS];
  const lines = [`arena ${words[Header.ARENA] * 64} bytes`];
  for (let s = 0; s < slots; s++) {
    const at = HEADER_WORDS + s * SLOT_WORDS;
    const [dtype, elements, flags] = words.subarray(at, at + SLOT_WORDS);
    lines.push(`%${s} ${DTYPES.get(dtype)}[${elements}] ${flagNames(flags)} ${labels[s] ?? ''}`.trimEnd());
  }
  let at = HEADER_WORDS + slots * SLOT_WORDS;
  for (let i = 0; i < words[Header.INSTRUCTIONS]; i++) {
    const reader = new Reader(words, at);
    const { op, scope } = origins[i];
    lines.push(`${i}: ${body(reader)}  ; ${op}${scope === '' ? '' : ` in ${scope}`}`);
    at += words[at + 1];
  }
  return `${lines.join('\n')}\n`;
}

function flagNames(flags: number): string {
  const names = [
    flags & SlotFlag.READ && 'read',
    flags & SlotFlag.WRITE && 'write',
    flags & SlotFlag.STEPPED && 'stepped',
  ];
  return names.filter(Boolean).join('+');
}

class Reader {
  private readonly words: Int32Array;
  private at: number;
  readonly opcode: string;
  readonly dtype: string;
  readonly end: number;

  constructor(words: Int32Array, at: number) {
    this.words = words;
    this.opcode = OPCODES.get(words[at]) ?? '?';
    this.end = at + words[at + 1];
    this.dtype = DTYPES.get(words[at + 2]) ?? '?';
    this.at = at + 3;
  }

  get more(): boolean {
    return this.at < this.end;
  }

  word(): number {
    return this.words[this.at++];
  }

  list(n: number): number[] {
    return Array.from({ length: n }, () => this.word());
  }

  operand(): string {
    const word = this.word();
    if (word === NONE) return '-';
    return word < 0 ? `%${~word}` : `@${word * 64}`;
  }

  f64(): number {
    const pair = new Int32Array(this.list(2));
    return new Float64Array(pair.buffer)[0];
  }
}

function body(r: Reader): string {
  const head = `${r.opcode.toLowerCase()} ${r.dtype}`;
  switch (r.opcode) {
    case 'FUSED':
      return `${head} ${fused(r)}`;
    case 'COPY': {
      const dims = r.list(r.word());
      const from = r.operand();
      const offset = r.word();
      const strides = r.list(dims.length);
      return `${head}[${dims}] ${window(from, offset, strides)} -> ${r.operand()}`;
    }
    case 'PLACE': {
      const dims = r.list(r.word());
      const [from, to, elements] = [r.operand(), r.operand(), r.word()];
      const offset = r.word();
      return `${head}[${dims}] ${from} -> ${window(to, offset, r.list(dims.length))} of ${elements}`;
    }
    case 'REDUCE': {
      const [reduction, outer, size, inner] = r.list(4);
      return `${head} ${REDUCTIONS.get(reduction)?.toLowerCase()} [${outer},${size},${inner}] ${r.operand()} -> ${r.operand()}`;
    }
    case 'GEMM':
      return `${head} ${gemm(r)}`;
    case 'CONV':
    case 'CONV_DATA_GRAD':
      return `${head} ${folded(r, () => `${geometry(r)} ${r.operand()} ${r.operand()}`)}`;
    case 'CONV_WEIGHT_GRAD':
      return `${head} ${geometry(r)} ${r.operand()} ${r.operand()} -> ${r.operand()}`;
    case 'SOFTMAX':
    case 'LOG_SOFTMAX':
      return `${head}[${r.list(2)}] ${r.operand()} -> ${r.operand()}`;
    case 'SOFTMAX_CE':
      return `${head}[${r.list(2)}] ${r.operand()} labels ${r.operand()} -> loss ${r.operand()} grad ${r.operand()}`;
    case 'GATHER':
    case 'SCATTER_ADD':
      return `${head} ${r.list(3).join(' ')} ${r.operand()} at ${r.operand()} -> ${r.operand()}`;
    case 'RANDOM': {
      const [distribution, n] = r.list(2);
      const [a, b, offset] = [r.f64(), r.f64(), r.word()];
      return `${head} ${['uniform', 'normal', 'bernoulli'][distribution]}(${a}, ${b})[${n}] +${offset} ${r.operand()} -> ${r.operand()}`;
    }
    case 'DROPOUT': {
      const n = r.word();
      const [p, offset] = [r.f64(), r.word()];
      return `${head}(${p})[${n}] +${offset} ${r.operand()} ${r.operand()} -> ${r.operand()}`;
    }
    case 'CHECK_FINITE':
      return `${head}[${r.word()}] ${r.operand()} -> ${r.operand()}`;
    case 'OPTIM':
      return `${head} ${step(r)}`;
    case 'LAYER_NORM':
    case 'BATCH_NORM': {
      const [shape, eps] = [r.list(2), r.f64()];
      const relu = r.opcode === 'BATCH_NORM' && r.word() === 1 ? ' relu' : '';
      const [x, weight, bias] = operands(r, 3);
      return `${head}[${shape}] eps ${eps} ${x} weight ${weight} bias ${bias}${relu} -> ${operands(r, 3).join(' ')}`;
    }
    case 'LAYER_NORM_GRAD':
    case 'BATCH_NORM_GRAD': {
      const shape = r.list(2);
      const batch = r.opcode === 'BATCH_NORM_GRAD';
      const eps = batch ? ` eps ${r.f64()}` : '';
      const relu = batch && r.word() === 1;
      const inputs = operands(r, 4).join(' ');
      const weight = r.operand();
      const bias = batch ? r.operand() : '-';
      return `${head}[${shape}]${eps} ${inputs} weight ${weight}${relu ? ` relu' bias ${bias}` : ''} -> ${operands(r, 3).join(' ')}`;
    }
    case 'GROUP_NORM':
    case 'GROUP_NORM_GRAD': {
      const [shape, eps, relu] = [r.list(4), r.f64(), r.word() === 1];
      const backward = r.opcode === 'GROUP_NORM_GRAD';
      const inputs = operands(r, backward ? 4 : 1).join(' ');
      const [weight, bias] = operands(r, 2);
      const after = relu ? (backward ? " relu'" : ' relu') : '';
      return `${head}[${shape}] eps ${eps} ${inputs} weight ${weight} bias ${bias}${after} -> ${operands(r, 3).join(' ')}`;
    }
    case 'SOFTMAX_GRAD':
    case 'LOG_SOFTMAX_GRAD':
      return `${head}[${r.list(2)}] ${r.operand()} ${r.operand()} -> ${r.operand()}`;
    case 'SUM_SQUARES': {
      const parts = Array.from({ length: r.word() }, () => `[${r.word()}] ${r.operand()}`);
      return `${head} ${parts.join(', ')} -> ${r.operand()}`;
    }
    default:
      return `${head} ?`;
  }
}

function window(operand: string, offset: number, strides: readonly number[]): string {
  return `${operand}${offset === 0 ? '' : `+${offset}`}(${strides})`;
}

function fused(r: Reader): string {
  const [rank, inputs, constants, micros, outputs] = r.list(5);
  const dims = r.list(rank);
  const names: string[] = [];
  for (let i = 0; i < inputs; i++) {
    const operand = r.operand();
    const dtype = DTYPES.get(r.word()) as string;
    const text = window(operand, r.word(), r.list(rank));
    names.push(dtype === r.dtype ? text : `${dtype} ${text}`);
  }
  for (let i = 0; i < constants; i++) names.push(String(fixZero(r.f64())));
  const steps: string[] = [];
  for (let i = 0; i < micros; i++) {
    const micro = MICROS.get(r.word()) as MicroName;
    const operands = r.list(3).slice(0, MICRO_ARITY[micro]);
    steps.push(`r${i} = ${micro.toLowerCase()} ${operands.map((o) => names[o]).join(', ')}`);
    names.push(`r${i}`);
  }
  for (let i = 0; i < outputs; i++) {
    const operand = r.operand();
    const dtype = DTYPES.get(r.word()) as string;
    steps.push(`${operand}${dtype === r.dtype ? '' : ` ${dtype}`} = ${names[r.word()]}`);
  }
  return `[${dims}] ${steps.join('; ')}`;
}

function fixZero(x: number): number | string {
  return Object.is(x, -0) ? '-0' : x;
}

function gemm(r: Reader): string {
  const [transA, transB] = r.list(2);
  const text = folded(r, () => {
    const [batch, m, n, k, strideA, strideB] = r.list(6);
    const batches = batch === 1 ? '' : `${batch}(${strideA},${strideB}) `;
    return `${batches}[${m},${n},${k}] ${r.operand()}${transA ? 'ᵀ' : ''} ${r.operand()}${transB ? 'ᵀ' : ''}`;
  });
  const colsum = r.operand();
  return colsum === '-' ? text : `${text} colsum ${colsum}`;
}

/** A product between its activations and what is folded into it. */
function folded(r: Reader, product: () => string): string {
  const [activation, activationGrad] = r.list(2);
  let text = product();
  const [out, bias, aux] = operands(r, 3);
  if (bias !== '-') text += ` + ${bias}`;
  if (activation !== 0) text += ` ${ACTIVATIONS.get(activation)?.toLowerCase()}`;
  if (aux !== '-') text += ` ${ACTIVATIONS.get(activationGrad)?.toLowerCase()}' ${aux}`;
  return `${text} -> ${out}`;
}

/** Sizes of a convolution; what is as usual is left out. */
function geometry(r: Reader): string {
  const [n, c, o, groups] = r.list(4);
  const [input, kernel, output, stride, padding, dilation] = Array.from({ length: 6 }, () => r.list(3));
  let text = `[${n},${input},${c}]*[${kernel}]=[${n},${output},${o}]`;
  if (groups !== 1) text += ` groups ${groups}`;
  if (stride.some((s) => s !== 1)) text += ` stride ${stride}`;
  if (padding.some((p) => p !== 0)) text += ` pad ${padding}`;
  return dilation.some((d) => d !== 1) ? `${text} dilation ${dilation}` : text;
}

function operands(r: Reader, count: number): string[] {
  return Array.from({ length: count }, () => r.operand());
}

function step(r: Reader): string {
  const [rule, flags, present] = r.list(3);
  const name = RULES.get(rule)?.toLowerCase();
  const options = Array.from({ length: RULE_OPTIONS[rule] }, () => r.f64());
  const [decay, clip, l1, rate, counter] = [r.f64(), r.f64(), r.f64(), r.operand(), r.operand()];
  const [scale, gate] = [r.operand(), r.operand()];
  const slots = [0, 1, 2].filter((s) => (present >> s) & 1);
  const params = Array.from({ length: r.word() }, () => {
    const n = r.word();
    return `[${n}] w ${r.operand()} g ${r.operand()}${slots.map((s) => ` s${s} ${r.operand()}`).join('')}`;
  });
  const text = [
    `${name} ${options.join(' ')}`,
    flags === 0 ? '' : `flags ${flags}`,
    decay === 0 ? '' : `decay ${decay}`,
  ];
  if (clip !== Infinity) text.push(`clip ${clip}`);
  if (l1 !== 0) text.push(`l1 ${l1}`);
  text.push(`lr ${rate} step ${counter}`);
  if (scale !== '-') text.push(`scale ${scale}`);
  if (gate !== '-') text.push(`gate ${gate}`);
  return [...text, params.join(', ')].filter((part) => part !== '').join(' ');
}
