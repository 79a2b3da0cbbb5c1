import {
  abs,
  all,
  cast,
  div,
  equal,
  isFinite as finite,
  flush,
  greater,
  isFloat,
  lessEqual,
  max,
  mean,
  mul,
  type Parameter,
  randomState,
  realize,
  restoreRandomState,
  type Shape,
  sqrt,
  stack,
  stopGradient,
  sub,
  sum,
  Tensor,
  valueAndGrad,
  variance,
} from '../core.js';
import type { Loss } from '../losses/index.js';
import type { Module } from '../nn/index.js';
import { sizeOf } from '../shape.js';

/** One parameter and its gradient. */
export interface ParameterFigures {
  readonly path: string;
  readonly shape: Shape;
  /** Euclidean norm of the values. */
  readonly norm: number;
  /** Euclidean norm of the gradient; null for frozen parameters and those that the loss does not reach. */
  readonly gradNorm: number | null;
  /** Root mean square of the gradient: comparable between layers of different sizes. */
  readonly gradRms: number | null;
  /** ‖change‖ / ‖values before‖ since the parameters given as `before`; null without them. */
  readonly updateRatio: number | null;
  /** Share of values that are 0 (at most `tolerance` in size). */
  readonly sparsity: number;
  /**
   * Share of connections between two units that are 0: entries of a matrix `[out, in]`, whole kernels of a convolution.
   * null for parameters of fewer axes.
   */
  readonly connectionSparsity: number | null;
}

/** What one layer put out for the batch. */
export interface ActivationFigures {
  /** Path of the module; with the op behind a colon for an activation called as a function. */
  readonly path: string;
  /** What computed it: the module's own line such as 'Linear(2→8)', or the op of an activation called as a function. */
  readonly layer: string;
  readonly mean: number;
  readonly std: number;
  /** Share of values that are 0. */
  readonly sparsity: number;
  /** Units of the last axis. */
  readonly units: number;
  /** After ReLU: units that are 0 for every sample (and position) of the batch, which get no gradient; else null. */
  readonly dead: number | null;
  /** After tanh or sigmoid: share of values where the slope is below 6 % of its largest; else null. */
  readonly saturation: number | null;
  readonly finite: boolean;
}

export interface Measurements {
  readonly loss: number;
  readonly parameters: readonly ParameterFigures[];
  readonly activations: readonly ActivationFigures[];
}

type Layer = Pick<ActivationFigures, 'path' | 'layer'>;

/** |tanh| above which the slope 1 − tanh² is below 0.06. The logistic function σ is (1 + tanh(x/2))/2. */
const SATURATED = 0.97;
const ACTIVATIONS = new Set(['relu', 'tanh', 'sigmoid']);

/**
 * Runs the model forward and backward on one batch and reads the figures off. Parameters, running statistics and random
 * streams stay as they are.
 */
export async function measure(
  model: Module,
  x: Tensor,
  y: Tensor,
  loss: Loss,
  tolerance: number,
  before: Readonly<Record<string, Tensor>> | null,
): Promise<Measurements> {
  // Layers with running statistics must not see this batch.
  const buffers = model.buffers().map((cell) => [cell, cell.version, stopGradient(cell.read())] as const);
  await realize(...buffers.map(([, , copy]) => copy));
  const random = randomState();
  try {
    const { outputs, node, grads } = trace(model, x, y, loss);
    const activations = layersOf(outputs, node);
    const parameters = [...model.namedParameters()];
    const figures = new Figures();
    const readLoss = figures.add(node);
    const readParameters = parameters.map(([path, p]) =>
      parameterFigures(figures, path, p, grads[path], tolerance, before?.[path]),
    );
    const readActivations = activations.map(([out, layer]) => activationFigures(figures, layer, out));
    await figures.run();
    return {
      loss: readLoss(),
      parameters: readParameters.map((read) => read()),
      activations: readActivations.map((read) => read()),
    };
  } finally {
    for (const [cell, version, copy] of buffers) if (cell.version !== version) cell.assign(copy);
    await flush();
    if (randomState().counters.ops !== random.counters.ops) restoreRandomState(random);
  }
}

/** Builds the graph of loss and gradients and notes what each module puts out. */
function trace(model: Module, x: Tensor, y: Tensor, loss: Loss) {
  const outputs = new Map<Tensor, Layer>();
  const modules = [...model.namedModules()];
  const forwards = modules.map(([path, m]) => {
    const { forward } = m;
    m.forward = (...inputs: unknown[]): unknown => {
      const out = forward(...inputs);
      // Inner modules come first: a container that hands on its last layer's output adds nothing.
      if (out instanceof Tensor && isFloat(out.dtype) && !outputs.has(out))
        outputs.set(out, { path: path === '' ? '(model)' : path, layer: String(m) });
      return out;
    };
    return () => {
      m.forward = forward;
    };
  });
  try {
    const [node, grads] = valueAndGrad(model, (a: Tensor, b: Tensor) => loss(model.forward(a), b))(x, y);
    return { outputs, node, grads };
  } finally {
    for (const restore of forwards) restore();
  }
}

/** Outputs of modules, and of activations called as functions, in the order they are computed. */
function layersOf(outputs: ReadonlyMap<Tensor, Layer>, loss: Tensor): [Tensor, Layer][] {
  const found = new Map(outputs);
  const seen = new Set<Tensor>([loss]);
  for (const node of seen) {
    if (ACTIVATIONS.has(node.op.name) && !found.has(node)) {
      const { name } = node.op;
      found.set(node, { path: `${node.scope === '' ? '(model)' : node.scope}:${name}`, layer: name });
    }
    for (const input of node.inputs) seen.add(input); // a Set is walked as it grows
  }
  const last = [...outputs.keys()].reduce((id, out) => Math.max(id, out.id), 0);
  return [...found]
    .filter(([node]) => node.id <= last) // the loss may use a sigmoid of its own
    .sort(([a], [b]) => a.id - b.id);
}

/** Scalars that are computed in one run. */
class Figures {
  readonly #nodes: Tensor[] = [];
  #values: ArrayLike<number> = [];

  /** A function that gives the value after {@link run}. */
  add(scalar: Tensor): () => number {
    const at = this.#nodes.push(cast(scalar, 'float64')) - 1;
    return () => this.#values[at];
  }

  async run(): Promise<void> {
    this.#values = (await stack(this.#nodes).data()) as Float64Array;
  }
}

function parameterFigures(
  figures: Figures,
  path: string,
  parameter: Parameter,
  gradient: Tensor | undefined,
  tolerance: number,
  before: Tensor | undefined,
): () => ParameterFigures {
  const w = parameter.read();
  const { shape } = w;
  const norm = figures.add(norm2(w));
  const gradNorm = gradient === undefined ? null : figures.add(norm2(gradient));
  const updated = before === undefined ? null : figures.add(div(norm2(sub(w, before)), norm2(before)));
  const small = (t: Tensor): Tensor => mean(cast(lessEqual(t, tolerance), 'float32'));
  const sparsity = figures.add(small(abs(w)));
  const kernels = shape.slice(2).map((_, i) => i + 2);
  const connections =
    shape.length < 2 ? null : figures.add(small(kernels.length === 0 ? abs(w) : max(abs(w), { axis: kernels })));
  return () => ({
    path,
    shape,
    norm: norm(),
    gradNorm: gradNorm?.() ?? null,
    gradRms: gradNorm === null ? null : gradNorm() / Math.sqrt(sizeOf(shape)),
    updateRatio: updated?.() ?? null,
    sparsity: sparsity(),
    connectionSparsity: connections?.() ?? null,
  });
}

/** In float64, whose squares do not overflow. */
function norm2(t: Tensor): Tensor {
  const wide = cast(t, 'float64');
  return sqrt(sum(mul(wide, wide)));
}

function activationFigures(figures: Figures, layer: Layer, out: Tensor): () => ActivationFigures {
  const op = out.op.name;
  const units = out.shape.length < 2 ? 1 : (out.shape.at(-1) as number);
  const wide = cast(out, 'float64');
  const average = figures.add(mean(wide));
  const spread = figures.add(sqrt(variance(wide, { correction: 0 })));
  const zero = figures.add(mean(cast(equal(out, 0), 'float32')));
  const isFine = figures.add(cast(all(finite(out)), 'float32'));
  const others = out.shape.slice(0, units === 1 && out.shape.length < 2 ? 1 : -1).map((_, i) => i);
  const dead = op === 'relu' ? figures.add(sum(cast(lessEqual(max(out, { axis: others }), 0), 'float32'))) : null;
  const centred = op === 'tanh' ? out : op === 'sigmoid' ? sub(mul(out, 2), 1) : null;
  const saturated = centred === null ? null : figures.add(mean(cast(greater(abs(centred), SATURATED), 'float32')));
  return () => ({
    ...layer,
    mean: average(),
    std: spread(),
    sparsity: zero(),
    units,
    dead: dead?.() ?? null,
    saturation: saturated?.() ?? null,
    finite: isFine() === 1,
  });
}
