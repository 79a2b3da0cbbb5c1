import {
  all,
  DataError,
  isFinite as finite,
  flush,
  isFloat,
  realize,
  stack,
  stopGradient,
  type Tensor,
  take,
  tensor,
} from '../core.js';
import type { TensorDataset } from '../data/index.js';
import type { Module } from '../nn/index.js';
import { sizeOf } from '../shape.js';
import type { StepFailure } from './chunks.js';
import type { Objective } from './objective.js';

export interface DiagnosisContext {
  readonly model: Module;
  readonly data: TensorDataset;
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
  const { error, rows } = failure;
  const { at } = error;
  if (at === undefined) return error;
  if (Number.isFinite(at.value)) {
    const fromLabels = at.op.toLowerCase().includes('entropy');
    const perSample = sizeOf((fromLabels ? context.data.y : context.data.x).shape.slice(1));
    const sample = rows[Math.floor(at.position / perSample)];
    const what = fromLabels ? 'label' : 'index';
    return new DataError(
      `${where}: ${what} ${at.value} of sample ${sample} is out of range at ${when} (${error.message})`,
      at,
    );
  }
  const value = Number.isNaN(at.value) ? 'NaN' : 'infinite';
  const { objective } = context;
  const cause = objective === undefined ? '' : await findCause(rows, context.model, context.data, objective);
  return new DataError(
    `${where}: the loss is ${value} at ${when}: ${cause}; the parameters are as before this step`,
    at,
  );
}

/** Runs the batch again, layer by layer. */
async function findCause(rows: Int32Array, model: Module, data: TensorDataset, objective: Objective): Promise<string> {
  const index = tensor(rows, { dtype: 'int32' });
  const x = data.transform(take(data.x, index));
  const y = take(data.y, index);
  const bad = (await badSample('x', x, rows)) ?? (await badSample('y', y, rows));
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
    const outputs = model.forward(x);
    const loss = objective.lossOf(outputs, y);
    const nodes = floatNodes(loss);
    const first = await firstBad(nodes);
    if (first === -1)
      return `running the batch again gives finite values, so random layers or their masks matter (${HINT})`;
    const node = nodes[first];
    const place = node.id > outputs.id ? 'the loss' : layerOf(model, node);
    return `the first values that are not finite come out of ${place} (${node.op.name}, [${node.shape}]); ${HINT}`;
  } finally {
    for (const [cell, version, copy] of buffers) if (cell.version !== version) cell.assign(copy);
    await flush();
  }
}

const HINT = 'a smaller learning rate or inputs scaled to about 1 usually help';

async function badSample(name: string, batch: Tensor, rows: Int32Array): Promise<string | null> {
  if (!isFloat(batch.dtype)) return null;
  const values = await batch.data();
  const at = values.findIndex((v) => !Number.isFinite(v));
  if (at === -1) return null;
  const width = sizeOf(batch.shape.slice(1));
  return `${name} of sample ${rows[Math.floor(at / width)]} has ${values[at]} at element ${at % width}; clean the data`;
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
function layerOf(model: Module, node: Tensor): string {
  const modules = model.namedModules();
  for (let path = node.scope; path !== ''; path = path.slice(0, Math.max(0, path.lastIndexOf('.')))) {
    const layer = modules.get(path);
    if (layer !== undefined) return layer.label;
  }
  return 'the model';
}
