import { describe, expect, it } from 'vitest';
import { nn } from '../../src/index.js';
import { decodeModule, encodeModule, layerClasses, type ModuleClass } from '../../src/nn/module-config.js';

/** Pooling layers of 1 to 3 axes. */
const windowed = (kind: string, options: object) =>
  Object.fromEntries(
    [1, 2, 3].map((d) => [`${kind}Pool${d}d`, [[2], [Array(d).fill(3), { stride: 2, padding: 'same', ...options }]]]),
  );

/**
 * Arguments for every layer that takes some: the least, and ones that differ from every default. A layer that is not here must
 * work without arguments. Add a row for a new layer that takes any.
 */
const ARGUMENTS: Readonly<Record<string, readonly (readonly unknown[])[]>> = {
  ActivityRegularization: [[], [{ l1: 0.5, l2: 0.25 }]],
  AlphaDropout: [[], [0.25]],
  BatchNorm2d: [[3], [3, { eps: 0.1, momentum: 0.2, dtype: 'float64' }]],
  BatchNorm3d: [[3], [3, { affine: false }]],
  ...Object.fromEntries(
    [1, 2, 3].flatMap((axes) => {
      const list = (n: number) => Array.from({ length: axes }, (_, a) => n + a);
      const shared = { stride: list(2), dilation: list(3), groups: 2, bias: false, dtype: 'float64' };
      return [
        [
          `Conv${axes}d`,
          [
            [1, 2, 3],
            [4, 2, list(1), { ...shared, padding: 'full', paddingMode: 'reflect' }],
          ],
        ],
        [
          `ConvTranspose${axes}d`,
          [
            [1, 2, 3],
            [4, 2, list(1), { ...shared, padding: list(0).map((n) => [n, 1]), outputPadding: list(0) }],
          ],
        ],
      ];
    }),
  ),
  Dropout1d: [[], [0.25]],
  Dropout2d: [[], [0.25]],
  DropPath: [[], [0.25, { mode: 'batch' }]],
  Ensemble: [[[new nn.Linear(2, 3), new nn.Linear(2, 3)]], [[new nn.ReLU()], { combine: 'vote' }]],
  ...windowed('Max', { dilation: 2 }),
  ...windowed('Avg', { countIncludePad: false, divisorOverride: 3 }),
  ...Object.fromEntries(
    ['Avg', 'Max'].flatMap((k) => [1, 2, 3].map((d) => [`Adaptive${k}Pool${d}d`, [[2], [Array(d).fill(3)]]])),
  ),
  BasicBlock: [
    [4, 4],
    [2, 4, { stride: 2, shortcut: 'identity', dropPath: 0.5, dtype: 'float64' }],
  ],
  DepthwiseSeparable: [
    [2, 4],
    [2, 2, { stride: 2, dtype: 'float64' }],
  ],
  InvertedResidual: [
    [2, 2],
    [2, 4, { stride: 2, expand: 1, dtype: 'float64' }],
  ],
  LeNet5: [[], [{ imageSize: 32, inChannels: 3, classes: 4, activation: 'tanh', dtype: 'float64' }]],
  SkipConnection: [[new nn.Linear(2, 2)], [new nn.ReLU(), new nn.Linear(2, 3)]],
  ResNet: [[{ depth: 8, width: 0.25 }], [{ depth: 8, width: 0.5, shortcut: 'projection', dropPath: 0.25, classes: 3 }]],
  VGG: [
    [{ stages: [[2]], imageSize: 8 }],
    [{ stages: [[2], [3]], imageSize: 9, hidden: 4, batchNorm: false, dropout: 0 }],
  ],
  PixelShuffle: [[2]],
  PixelUnshuffle: [[3]],
  ReflectionPad2d: [[1]],
  ReplicationPad2d: [[[1, 2, 3, 4]]],
  Upsample: [[{ scaleFactor: 2 }], [{ size: [3, 4], mode: 'bilinear', alignCorners: true }]],
  ZeroPad2d: [[[1, 0, 2, 3]]],
  GroupNorm: [
    [2, 4],
    [3, 3, { eps: 0.1, dtype: 'float64' }],
    [1, 2, { affine: false }],
  ],
  InstanceNorm1d: [[3], [3, { eps: 0.1, momentum: 0.2, affine: true, trackRunningStats: true, dtype: 'float64' }]],
  InstanceNorm2d: [[3], [3, { trackRunningStats: true }]],
  InstanceNorm3d: [[3], [3, { affine: true }]],
  RMSNorm: [[4], [[2, 3], { eps: 0.1, dtype: 'float64' }], [2, { affine: false }]],
  BatchNorm1d: [
    [3],
    [3, { eps: 0.1, momentum: null, affine: false, dtype: 'float64' }],
    [3, { trackRunningStats: false, dtype: 'float64' }],
  ],
  CELU: [[], [2]],
  Dropout: [[], [0.25]],
  ELU: [[], [2]],
  Flatten: [[], [2]],
  GELU: [[], [{ approximate: 'tanh' }]],
  GLU: [[], [1]],
  GeneralizedRectifier: [[-1]],
  HardTanh: [[], [{ min: -2, max: 3 }]],
  LayerNorm: [[4], [[2, 3], { eps: 0.1, bias: false, dtype: 'float64' }], [2, { affine: false }]],
  LeakyReLU: [[], [0.2]],
  Linear: [
    [3, 4],
    [4, 3, { bias: false, dtype: 'float64' }],
  ],
  LogSoftmax: [[], [0]],
  Normalize: [
    [[0.5], [2]],
    [
      [0.1, 0.2, 0.3],
      [1, 2, 3],
    ],
  ],
  Maxout: [[2], [3, { axis: 1 }]],
  PReLU: [[], [4, { init: 0.5, dtype: 'float64' }]],
  Sequential: [[], [new nn.Linear(2, 3), new nn.Sequential(new nn.ReLU(), new nn.Dropout(0.1))]],
  Softmax: [[], [0]],
  Softplus: [[], [{ beta: 2, threshold: 20 }]],
  Step: [[], [{ straightThrough: true }]],
  SwiGLU: [[], [1]],
};

/** What a layer shows of itself: its text, its plain fields, its tensors. */
function describeModule(module: nn.AnyModule): unknown {
  const cells = [...module.namedParameters(), ...module.namedBuffers()];
  return {
    text: [...module.namedModules()].map(([path, m]) => `${path}: ${m.toString()}`),
    fields: Object.entries(module).filter(([, v]) => v === null || typeof v !== 'object'),
    cells: cells.map(([path, c]) => `${path} ${c.constructor.name} ${c.dtype} [${c.shape}]`),
  };
}

const classes = [...layerClasses()];

describe('every layer has a config() that makes it again', () => {
  it('knows the layers', () => {
    expect(classes.length).toBeGreaterThanOrEqual(30);
    expect(Object.keys(ARGUMENTS).filter((name) => !layerClasses().has(name))).toEqual([]);
  });

  it.each(classes)('%s', (name, layer) => {
    for (const args of ARGUMENTS[name] ?? [[]]) {
      const module = new layer(...(args as never[]));
      const { config, classes: named } = encodeModule(module);
      const text = JSON.stringify(config);
      const again = decodeModule('test', config, named);
      expect(again.constructor).toBe(layer);
      expect(describeModule(again), text).toEqual(describeModule(module));
      expect(encodeModule(again).config).toEqual(config);
    }
  });
});

describe('custom layers', () => {
  class Scaled extends nn.Module {
    inner: nn.AnyModule;
    readonly factor: number;
    constructor(inner: nn.AnyModule, options: { factor: number }) {
      super();
      this.inner = inner;
      this.factor = options.factor;
    }
    override config(): nn.ModuleConfig {
      return [this.inner, { factor: this.factor }];
    }
    forward = undefined as never;
  }
  const known = new Map<string, ModuleClass>([...layerClasses(), ['Scaled', Scaled]]);

  it('hold modules, and one twice is one', () => {
    const shared = new nn.Linear(2, 2);
    const model = new nn.Sequential(shared, new nn.Linear(2, 2), shared);
    const again = decodeModule('test', encodeModule(model).config, known) as nn.Sequential;
    expect(again[2]).toBe(again[0]);
    expect(again[1]).not.toBe(again[0]);
    expect(again.parameters()).toHaveLength(4);
  });

  it('that forget config() are named', () => {
    class Forgetful extends nn.Module {
      readonly width = 3;
      readonly mode = 'x';
      forward = undefined as never;
    }
    expect(() => encodeModule(new nn.Sequential(new Forgetful()))).toThrow(
      /Forgetful "0"\.config: add the method config\(\) to Forgetful; .* "width", "mode" can be made again/,
    );
    class Plain extends nn.Module {
      hidden = [new nn.Linear(1, 2), new nn.Linear(2, 1)];
      off = null;
      forward = undefined as never;
    }
    expect(encodeModule(new Plain()).config).toEqual({ type: 'Plain', args: [] });
  });

  it('need a name of their own', () => {
    const Linear = class Linear extends nn.Module {
      forward = undefined as never;
    };
    expect(() => encodeModule(new Linear())).toThrow(/another class is called Linear, too; pass registry/);
    expect(encodeModule(new Linear(), { MyLinear: Linear }).config).toEqual({ type: 'MyLinear', args: [] });
    const anonymous = (() =>
      class extends nn.Module {
        forward = undefined as never;
      })();
    expect(() => encodeModule(new anonymous())).toThrow(/its class has no name/);
  });

  it('cycles and reserved keys are refused', () => {
    class Loop extends nn.Module {
      override config(): nn.ModuleConfig {
        const list: nn.ConfigValue[] = [];
        list.push(list);
        return list;
      }
      forward = undefined as never;
    }
    expect(() => encodeModule(new Loop())).toThrow(/nested more than 200 deep, or a cycle/);
    class Reserved extends nn.Module {
      override config(): nn.ModuleConfig {
        return [{ $module: 1 }];
      }
      forward = undefined as never;
    }
    expect(() => encodeModule(new Reserved())).toThrow(/the key "\$module" is reserved/);
  });
});

describe('configurations of a file', () => {
  const decode = (config: unknown) => decodeModule('f', config as null, layerClasses());
  it.each([
    [null, /needs "type" and "args"/],
    [{ type: 'Linear' }, /needs "type" and "args"/],
    [{ type: 'Linear', args: {} }, /needs "type" and "args"/],
    [{ type: 'Exec', args: ['rm'] }, /nobody knows the layer "Exec"; pass its class: registry: \{ Exec/],
    [{ type: 'constructor', args: [] }, /nobody knows the layer "constructor"/],
    [{ type: 'Module', args: [] }, /nobody knows the layer "Module"/],
    [{ type: 'Linear', args: [-1, 2] }, /Linear refuses its arguments: Linear: inFeatures is -1/],
    [{ type: 'LayerNorm', args: [null] }, /LayerNorm refuses its arguments/],
    [{ type: 'Sequential', args: [{ $module: 0 }] }, /module 0 is used before it is described/],
    [{ type: 'Sequential', args: [{ $module: 7 }] }, /module 7 is used before/],
    [{ type: 'Sequential', args: [{ $module: { type: 'Linear', args: ['2', 2] } }] }, /inFeatures is "2", expected/],
    [{ type: 'Linear', args: [2 ** 30, 2 ** 30] }, /Linear refuses its arguments: .*elements/],
  ])('%j is refused', (config, message) => {
    expect(() => decode(config)).toThrow(message);
  });

  it('depth is bounded', () => {
    let config: unknown = [];
    for (let i = 0; i < 10_000; i++) config = [config];
    expect(() => decode({ type: 'Linear', args: config })).toThrow(/nested more than 200 deep/);
  });
});
