import { all, DataError, isFinite as finite, flush, isFloat, realize, stack, stopGradient, Tensor } from '../core.js';
import type { AnyModule } from '../nn/index.js';
import { sizeOf } from '../shape.js';
import { leaves } from '../tree.js';
import type { Rows, TensorTree } from './batch.js';
import type { Origin, StepFailure } from './chunks.js';
import { forwardWithLosses, type Objective } from './objective.js';

export interface DiagnosisContext {
  readonly model: AnyModule;
  /** Given in training, where a loss that is not finite stops the run. */
  readonly objective?: Objective;
}

/**
 * The error of a step that its data stopped, in the user's terms: the sample whose label or index is out of range, or
 * where the first value that is not finite came from.
 * @param when such as 'epoch 2, step 17'.
 */
export async function explain(
  where: string,
  when: string,
  failure: StepFailure,
  context: DiagnosisContext,
): Promise<DataError> {
  const { error, origin } = failure;
  const { at } = error;
  if (at === undefined) return error;
  if (Number.isFinite(at.value)) {
    const fromLabels = at.op.toLowerCase().includes('entropy');
    const what = fromLabels ? 'label' : 'index';
    const { x, y } = origin.rows();
    const batch = fromLabels ? (y ?? x) : x;
    // Of several tensors nobody knows which one it was.
    const of = batch instanceof Tensor ? ` of ${origin.sample(Math.floor(at.position / widthOf(batch)))}` : '';
    return new DataError(`${where}: ${what} ${at.value}${of} is out of range at ${when} (${error.message})`, at);
  }
  const value = Number.isNaN(at.value) ? 'NaN' : 'infinite';
  const { objective, model } = context;
  const cause = objective === undefined ? '' : await findCause(origin, model, objective);
  return new DataError(
    `${where}: the loss is ${value} at ${when}: ${cause}; the parameters are as before this step`,
    at,
  );
}

function widthOf(batch: Tensor): number {
  return sizeOf(batch.shape.slice(1));
}

/** Runs the batch again, layer by layer. */
async function findCause(origin: Origin, model: AnyModule, objective: Objective): Promise<string> {
  const { x, y, weight }: Rows = origin.rows();
  const bad = (await badSample('x', x, origin)) ?? (y === undefined ? null : await badSample('y', y, origin));
  if (bad !== null) return bad;

  const parameters = [...model.namedParameters()].filter(([, p]) => isFloat(p.dtype));
  const badParameter = await firstBad(parameters.map(([, p]) => p.read()));
  if (badParameter !== -1) {
    return `parameter "${parameters[badParameter][0]}" is already not finite; an earlier update made it so (${HINT})`;
  }

  // Layers with running statistics must not see this batch twice.
  const buffers = model.buffers().map((cell) => [cell, cell.version, stopGradient(cell.read())] as const);
  await realize(...buffers.map(([, , copy]) => copy));
  try {
    const [outputs, added] = forwardWithLosses(model, x);
    const last = Math.max(...(leaves(outputs) as Tensor[]).map((t) => t.id));
    const [loss] = objective.lossOf(outputs, y ?? x, weight, added);
    const nodes = floatNodes(loss);
    const first = await firstBad(nodes);
    if (first === -1)
      return `running the batch again gives finite values, so random layers or their masks matter (${HINT})`;
    const node = nodes[first];
    const place = node.id > last ? 'the loss' : layerOf(model, node);
    return `the first values that are not finite come out of ${place} (${node.op.name}, [${node.shape}]); ${HINT}`;
  } finally {
    for (const [cell, version, copy] of buffers) if (cell.version !== version) cell.assign(copy);
    await flush();
  }
}

const HINT = 'a smaller learning rate or inputs scaled to about 1 usually help';

async function badSample(name: string, tree: TensorTree, origin: Origin): Promise<string | null> {
  for (const batch of leaves(tree) as Tensor[]) {
    if (!isFloat(batch.dtype)) continue;
    const values = await batch.data();
    const at = values.findIndex((v) => !Number.isFinite(v));
    if (at === -1) continue;
    const width = widthOf(batch);
    return `${name} of ${origin.sample(Math.floor(at / width))} has ${values[at]} at element ${at % width}; clean the data`;
  }
  return null;
}

/** Index of the first tensor with a value that is not finite, or -1; all are looked at in one run. */
async function firstBad(tensors: readonly Tensor[]): Promise<number> {
  if (tensors.length === 0) return -1;
  const flags = await stack(tensors.map((t) => all(finite(t)))).data();
  return flags.indexOf(0);
}

/** Float values on the way to `loss`, in the order they are computed; read before a run turns nodes into leaves. */
function floatNodes(loss: Tensor): Tensor[] {
  const seen = new Set<Tensor>([loss]);
  for (const node of seen) for (const input of node.inputs) seen.add(input); // a Set is walked as it grows
  return [...seen]
    .filter((n) => n.inputs.length > 0 && n.outs === null && isFloat(n.dtype))
    .sort((a, b) => a.id - b.id);
}

/** The layer whose path is the longest beginning of the node's. */
function layerOf(model: AnyModule, node: Tensor): string {
  const modules = model.namedModules();
  for (let path = node.scope; path !== ''; path = path.slice(0, Math.max(0, path.lastIndexOf('.')))) {
    const layer = modules.get(path);
    if (layer !== undefined) return layer.label;
  }
  return 'the model';
}
