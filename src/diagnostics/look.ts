import {
  abs,
  add,
  arange,
  argmax,
  cast,
  DataError,
  DTypeError,
  didYouMean,
  equal,
  expandDims,
  greater,
  isFloat,
  max,
  mean,
  min,
  mul,
  normal,
  OptionError,
  permute,
  randomState,
  realize,
  relu,
  reshape,
  restoreRandomState,
  type Shape,
  ShapeError,
  seed as seedStreams,
  stopGradient,
  sub,
  sum,
  Tensor,
  tensor,
  upsample,
  valueAndGrad,
  zeros,
} from '../core.js';
import { labelsOf, TensorDataset } from '../data/index.js';
import { type AnyModule, Conv2d, Module } from '../nn/index.js';
import { checkOptions, wholeNumber } from '../options.js';
import { predict } from '../train/index.js';

/** Pictures `[n, height, width, channels]` or `[n, height, width]`; of a data set the first ones, transformed. */
export type Pictures = Tensor | TensorDataset;

export interface LayerChoice {
  /** Path of the layer, as `model.namedModules()` has it. */
  readonly layer: string;
}

export interface ClassChoice {
  /** Class whose score is explained: one for all pictures, or one a picture; default the class predicted for each. */
  readonly classes?: number | ArrayLike<number>;
}

export interface SmoothOptions {
  /** Noisy copies of each picture, >= 1; default 25. */
  readonly samples?: number;
  /** Standard deviation of the noise as a share of the pictures' range of values, > 0; default 0.15. */
  readonly noise?: number;
  /** Of the noise; default 0. The streams of `seed()` stay where they are. */
  readonly seed?: number;
}

export interface SaliencyOptions extends ClassChoice {
  /** Averages the gradient over noisy copies; true for its defaults. Default false: the gradient at the picture. */
  readonly smooth?: boolean | SmoothOptions;
}

export type GradCamOptions = ClassChoice & Partial<LayerChoice>;

/** Scores of a class by picture, and which classes they are of. */
interface Scored {
  readonly total: Tensor;
  readonly classes: Tensor;
}

/** Pictures of a data set that are looked at. */
const FIRST = 16;

/** The pictures as a float tensor: at most `limit` of a data set, all of a tensor. */
export async function picturesOf(where: string, given: Pictures, limit = FIRST): Promise<Tensor> {
  let x: Tensor;
  if (given instanceof Tensor) x = given;
  else if (given instanceof TensorDataset) {
    const { value } = await given.batches({ batchSize: Math.min(limit, given.length) }).next();
    x = (value as [Tensor, Tensor])[0];
  } else throw new OptionError(`${where}: got ${String(given)} as pictures, expected a tensor or a TensorDataset`);
  if ((x.shape.length !== 3 && x.shape.length !== 4) || x.shape.includes(0)) {
    throw new ShapeError(
      `${where}: pictures are [${x.shape}], expected [n, height, width, channels] or [n, height, width]`,
    );
  }
  if (isFloat(x.dtype)) return x;
  throw new DTypeError(
    `${where}: pictures are ${x.dtype}, expected floats as the model takes them, such as pictures.cast('float32').div(255)`,
  );
}

function checkModel(where: string, model: unknown): asserts model is Module {
  if (!(model instanceof Module))
    throw new OptionError(`${where}: got ${String(model)} as model, expected an nn.Module`);
}

/** The module at a path. */
function layerAt(where: string, model: Module, path: unknown): AnyModule {
  const all = model.namedModules();
  const paths = [...all.keys()].filter((p) => p !== '');
  const layer = typeof path === 'string' && path !== '' ? all.get(path) : undefined;
  if (layer !== undefined) return layer;
  const shown = paths.slice(0, 20).join(', ') + (paths.length > 20 ? ', …' : '');
  throw new OptionError(
    `${where}: the model has no layer ${JSON.stringify(path)}, expected one of ${shown || '(it has none)'}.${didYouMean(String(path), paths)}`,
  );
}

/** The path of the first or last convolution of images. */
function convolution(where: string, model: Module, which: 0 | -1): string {
  const path = [...model.namedModules()]
    .filter(([, m]) => m instanceof Conv2d)
    .map(([p]) => p)
    .at(which);
  if (path === undefined) throw new OptionError(`${where}: the model has no Conv2d below it`);
  return path;
}

/** Builds a graph in evaluation mode; modes are put back before anything else can run. */
function evaluating<T>(model: Module, build: () => T): T {
  const modes = model.modules().map((m) => [m, m.training] as const);
  model.eval();
  try {
    return build();
  } finally {
    for (const [m, mode] of modes) m.train(mode); // parents first, so that children end in their own
  }
}

function forward(where: string, model: Module, x: Tensor): Tensor {
  try {
    return model.forward(x);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new ShapeError(`${where}: the model does not take pictures [${x.shape}]: ${error.message}`);
  }
}

/** Runs the model with `change` applied to what the layer puts out; of several calls the last is meant. */
function through(
  where: string,
  model: Module,
  path: string,
  x: Tensor,
  change: (out: Tensor, call: number) => Tensor,
): { out: Tensor; output: Tensor; calls: number } {
  const layer = layerAt(where, model, path);
  const { forward: own } = layer;
  let [calls, output]: [number, unknown] = [0, null];
  layer.forward = (...inputs: unknown[]): unknown => {
    output = own(...inputs);
    return output instanceof Tensor ? change(output, ++calls) : output;
  };
  try {
    const out = forward(where, model, x);
    if (output === null) throw new OptionError(`${where}: the model does not call its layer "${path}"`);
    if (!(output instanceof Tensor) || output.shape.length !== 4 || !isFloat(output.dtype)) {
      const got = output instanceof Tensor ? `${output.dtype} [${output.shape}]` : 'no tensor';
      throw new ShapeError(
        `${where}: layer "${path}", ${String(layer)}, gives ${got}, expected floats [n, height, width, channels]; choose a convolution`,
      );
    }
    return { out, output, calls };
  } finally {
    layer.forward = own;
  }
}

/** Sum over the pictures of the score of each one's class: pictures do not see each other in evaluation mode. */
function scoreOf(where: string, outputs: unknown, n: number, chosen: ClassChoice['classes']): Scored {
  if (!(outputs instanceof Tensor) || outputs.shape.length !== 2 || outputs.shape[0] !== n) {
    const got = outputs instanceof Tensor ? `[${outputs.shape}]` : `a ${typeof outputs}`;
    throw new ShapeError(`${where}: the model gives ${got} for ${n} pictures, expected scores [${n}, classes]`);
  }
  const count = outputs.shape[1];
  let classes = stopGradient(argmax(outputs, { axis: 1 }));
  if (chosen !== undefined) {
    const list = typeof chosen === 'number' ? new Array<number>(n).fill(chosen) : Array.from(chosen);
    if (list.length !== n) {
      throw new OptionError(`${where}: got ${list.length} classes for ${n} pictures, expected one number, or as many`);
    }
    for (const c of list) wholeNumber(`${where}: class`, c, 0, count - 1);
    classes = tensor(Int32Array.from(list));
  }
  const own = cast(equal(expandDims(classes, 1), arange(0, count, 1, { dtype: classes.dtype })), outputs.dtype);
  return { total: sum(mul(outputs, own)), classes };
}

/**
 * The filters of a convolution as small pictures: what the first layer of a model looks for.
 *
 * @param model with at least one `Conv2d`.
 * @param options `layer`: path of a `Conv2d`; default the first one.
 * @returns `[outChannels, kernel height, kernel width, inChannels / groups]`, the values at the time of the call.
 * @throws OptionError for an unknown path, another kind of layer, or a model without `Conv2d`.
 * @example (await diagnostics.filters(model)).shape; // [32, 3, 3, 1]
 * @see Krizhevsky, Sutskever and Hinton (2012), ImageNet classification with deep convolutional neural networks, figure 3.
 */
export async function filters(model: Module, options: Partial<LayerChoice> = {}): Promise<Tensor> {
  const where = 'filters';
  checkModel(where, model);
  checkOptions(where, options, ['layer']);
  const path = options.layer ?? convolution(where, model, 0);
  const layer = layerAt(where, model, path);
  if (!(layer instanceof Conv2d)) {
    throw new OptionError(`${where}: layer "${path}" is ${String(layer)}, expected a Conv2d`);
  }
  const out = stopGradient(permute(layer.weight.read(), [0, 2, 3, 1]));
  await realize(out);
  return out;
}

/**
 * What a layer puts out for some pictures, in evaluation mode. Of a layer that the model calls several times it is the last.
 *
 * @param model that takes the pictures.
 * @param pictures float `[n, height, width, channels]` or `[n, height, width]`, or a data set, whose first 16 are used.
 * @param options `layer` (required): path of the layer, such as '0' or 'stem.conv'.
 * @returns `[n, height', width', channels']`.
 * @throws OptionError for an unknown path; ShapeError for pictures that the model does not take, or a layer whose output has not
 *   four axes; DTypeError for pictures of integers.
 * @example (await diagnostics.featureMaps(model, test, { layer: '0' })).shape; // [16, 28, 28, 32]
 * @see Zeiler and Fergus (2014), Visualizing and understanding convolutional networks.
 */
export async function featureMaps(model: Module, pictures: Pictures, options: LayerChoice): Promise<Tensor> {
  const where = 'featureMaps';
  checkModel(where, model);
  checkOptions(where, options, ['layer']);
  const x = await picturesOf(where, pictures);
  const { output } = evaluating(model, () => through(where, model, options.layer, x, (out) => out));
  const maps = stopGradient(output);
  await realize(maps);
  return maps;
}

/**
 * How much the score of a class changes with each pixel: `|∂ score / ∂ x|`, with `smooth` the gradient's mean over noisy copies,
 * `|1/m Σ ∂ score / ∂ x at x + ε|`, ε normal. The model runs in evaluation mode.
 *
 * @param model from pictures to scores `[n, classes]`, such as the logits of a classifier.
 * @param pictures float `[n, height, width, channels]` or `[n, height, width]`, or a data set, whose first 16 are used.
 * @param options `classes`: default the predicted ones; `smooth`: true, or `{ samples: 25, noise: 0.15, seed: 0 }`.
 * @returns values >= 0 of the shape of the pictures.
 * @throws OptionError for a class out of range; ShapeError when the model does not take the pictures or gives no scores; DTypeError
 *   for pictures of integers.
 * @example const maps = await diagnostics.saliency(model, test, { smooth: true }); // [16, 28, 28, 1]
 * @see Simonyan, Vedaldi and Zisserman (2013), Deep inside convolutional networks; Smilkov et al. (2017), SmoothGrad.
 */
export async function saliency(model: Module, pictures: Pictures, options: SaliencyOptions = {}): Promise<Tensor> {
  checkOptions('saliency', options, ['classes', 'smooth']);
  return (await saliencyWithClasses('saliency', model, pictures, options)).maps;
}

/** Normal draws that depend on the seed alone, as nodes that nothing has computed yet; the streams stay where they are. */
function draws(shape: Shape, count: number, seed: number): Tensor[] {
  const before = randomState();
  try {
    seedStreams(seed);
    return Array.from({ length: count }, () => normal(shape));
  } finally {
    restoreRandomState(before);
  }
}

/** {@link saliency}, and whose scores they are. */
export async function saliencyWithClasses(
  where: string,
  model: Module,
  pictures: Pictures,
  { classes: chosen, smooth = false }: SaliencyOptions,
): Promise<{ maps: Tensor; classes: Tensor }> {
  checkModel(where, model);
  const settings = smooth === true ? {} : smooth === false ? null : smooth;
  if (settings !== null) checkOptions(`${where}: smooth`, settings, ['samples', 'noise', 'seed']);
  const { samples: m = 25, noise = 0.15, seed = 0 } = settings ?? {};
  const samples = wholeNumber(`${where}: smooth.samples`, m, 1, 10_000);
  if (!(noise > 0 && Number.isFinite(noise))) {
    throw new OptionError(`${where}: smooth.noise is ${noise}, expected a number > 0`);
  }
  wholeNumber(`${where}: smooth.seed`, seed, 0);
  const x = await picturesOf(where, pictures);
  const n = x.shape[0];
  const gradientAt = (at: Tensor, of: ClassChoice['classes']): readonly [Tensor, Tensor] =>
    evaluating(model, () => {
      const score = (p: Tensor): [Tensor, Tensor] => {
        const { total, classes } = scoreOf(where, forward(where, model, p), n, of);
        return [total, classes];
      };
      const [[, classes], gradient] = valueAndGrad(score)(at);
      return [gradient, classes];
    });
  const [gradient, classes] = gradientAt(x, chosen);
  if (settings === null) {
    const maps = stopGradient(abs(gradient));
    await realize(maps, classes);
    return { maps, classes };
  }
  // The class of the picture itself, whatever its noisy copies are taken for.
  const fixed = Array.from((await classes.data()) as ArrayLike<number>);
  const spread = mul(sub(max(x), min(x)), noise);
  let total = zeros(x.shape, { dtype: x.dtype });
  for (const drawn of draws(x.shape, samples, seed)) {
    const noisy = add(x, mul(cast(drawn, x.dtype), spread));
    total = add(total, gradientAt(noisy, fixed)[0]);
    await realize(total); // one copy after the other, so that memory is that of one
  }
  const maps = stopGradient(abs(mul(total, 1 / samples)));
  await realize(maps);
  return { maps, classes };
}

/**
 * Where in a picture a convolution sees what speaks for a class (Grad-CAM). With the layer's output A, channels c and positions p:
 * `relu(Σ_c w_c A_pc)`, `w_c` the mean over p of `∂ score / ∂ A_pc`, enlarged to the pictures' size by bilinear interpolation.
 * The model runs in evaluation mode.
 *
 * @param model from pictures to scores `[n, classes]`: the logits, before softmax.
 * @param pictures float `[n, height, width, channels]` or `[n, height, width]`, or a data set, whose first 16 are used.
 * @param options `layer`: path of a layer that gives `[n, h, w, channels]`, default the last `Conv2d`; `classes`: default the
 *   predicted ones.
 * @returns `[n, height, width]`, values >= 0 that are not scaled.
 * @throws OptionError for an unknown path or a class out of range; ShapeError when the model does not take the pictures, the layer's
 *   output has not four axes, or the model gives no scores; DTypeError for pictures of integers.
 * @example const maps = await diagnostics.gradCam(model, test, { layer: '3', classes: 7 }); // [16, 28, 28]
 * @see Selvaraju et al. (2017), Grad-CAM: visual explanations from deep networks via gradient-based localization.
 */
export async function gradCam(model: Module, pictures: Pictures, options: GradCamOptions = {}): Promise<Tensor> {
  checkOptions('gradCam', options, ['layer', 'classes']);
  return (await gradCamWithClasses('gradCam', model, pictures, options)).maps;
}

/** {@link gradCam}, and whose scores they are. */
export async function gradCamWithClasses(
  where: string,
  model: Module,
  pictures: Pictures,
  options: GradCamOptions,
): Promise<{ maps: Tensor; classes: Tensor }> {
  checkModel(where, model);
  const path = options.layer ?? convolution(where, model, -1);
  const x = await picturesOf(where, pictures);
  const [n, height, width] = x.shape;
  const { maps, classes } = evaluating(model, () => {
    const first = through(where, model, path, x, (out) => out);
    // The gradient by a zero that is added to the output is the gradient by the output.
    const zero = zeros(first.output.shape, { dtype: first.output.dtype });
    const score = (shift: Tensor): [Tensor, [Tensor, Tensor]] => {
      const moved = (out: Tensor, call: number): Tensor => (call === first.calls ? add(out, shift) : out);
      const { out, output } = through(where, model, path, x, moved);
      const { total, classes } = scoreOf(where, out, n, options.classes);
      return [total, [output, classes]];
    };
    const [[, [output, classes]], gradient] = valueAndGrad(score)(zero);
    const weights = mean(gradient, { axis: [1, 2], keepDims: true });
    const coarse = relu(sum(mul(output, weights), { axis: 3, keepDims: true }));
    const fine = upsample(coarse, { size: [height, width], mode: 'bilinear' });
    return { maps: stopGradient(reshape(fine, [n, height, width])), classes };
  });
  await realize(maps, classes);
  return { maps, classes };
}

/** Samples whose predicted class is not their label. */
export interface Misclassified {
  /** How many there are in the whole data set. */
  readonly count: number;
  /** Places of the first of them in the data set, for `dataset.subset`. */
  readonly indices: Int32Array;
  /** Class predicted for each of `indices`. */
  readonly predicted: Int32Array;
  /** Label of each of `indices`. */
  readonly labels: Int32Array;
}

export interface MisclassifiedOptions {
  /** At most so many are listed, the first in the data set's order, >= 1; default 64. */
  readonly limit?: number;
  /** Samples a step of the prediction; default 256. */
  readonly batchSize?: number;
}

/**
 * The samples that a classifier gets wrong: its largest output is not the label's. A model with one output says class 1 above 0,
 * as `binaryCrossEntropy` with logits trains it. Runs in evaluation mode.
 *
 * @param model from samples to scores `[n, classes]` or `[n, 1]`.
 * @param dataset samples and their class numbers `[n]` or `[n, 1]`.
 * @param options `limit` (64), `batchSize` (256).
 * @returns how many, and the first of them with predicted class and label.
 * @throws OptionError for options out of range; ShapeError when the model gives no scores; DataError for targets that are no class
 *   numbers, or no class of the model.
 * @example
 * const { count, indices } = await diagnostics.misclassified(model, test);
 * const wrong = test.subset(indices);
 */
export async function misclassified(
  model: Module,
  dataset: TensorDataset,
  options: MisclassifiedOptions = {},
): Promise<Misclassified> {
  checkOptions('misclassified', options, ['limit', 'batchSize']);
  return findMisclassified('misclassified', model, dataset, options);
}

export async function findMisclassified(
  where: string,
  model: Module,
  dataset: TensorDataset,
  options: MisclassifiedOptions,
): Promise<Misclassified> {
  checkModel(where, model);
  if (!(dataset instanceof TensorDataset)) {
    throw new OptionError(`${where}: got ${String(dataset)} as data set, expected a TensorDataset`);
  }
  const limit = wholeNumber(`${where}: limit`, options.limit ?? 64, 1);
  const labels = await labelsOf(dataset);
  const scores = await predict(model, dataset, options.batchSize === undefined ? {} : { batchSize: options.batchSize });
  if (!(scores instanceof Tensor) || scores.shape.length !== 2 || scores.shape[1] === 0) {
    const got = scores instanceof Tensor ? `[${scores.shape}]` : `a ${typeof scores}`;
    throw new ShapeError(`${where}: the model gives ${got}, expected scores [n, classes]`);
  }
  const classes = Math.max(2, scores.shape[1]);
  const odd = labels.findIndex((label) => label < 0 || label >= classes);
  if (odd >= 0) {
    throw new DataError(`${where}: label of sample ${odd} is ${labels[odd]}, expected a class in [0, ${classes})`);
  }
  const top = scores.shape[1] === 1 ? cast(greater(reshape(scores, [-1]), 0), 'int32') : argmax(scores, { axis: 1 });
  const predicted = Int32Array.from((await top.data()) as ArrayLike<number>);
  const all = Int32Array.from(labels.keys()).filter((i) => predicted[i] !== labels[i]);
  const indices = all.slice(0, limit);
  return {
    count: all.length,
    indices,
    predicted: indices.map((i) => predicted[i]),
    labels: indices.map((i) => labels[i]),
  };
}
