// What the compiler says to users of tensors, compile, the gradient functions and modules. Nothing here runs.
import { describe, expectTypeOf, test } from 'vitest';
import { type HostTensor, type Mnist, mnist, readIdx } from '../../src/datasets/index.js';
import {
  type Compiled,
  compile,
  type DType,
  type Gradients,
  grad,
  hessian,
  io,
  jacobian,
  jvp,
  mse,
  nn,
  Parameter,
  type State,
  type Tensor,
  tensor,
  valueAndGrad,
  vjp,
  vmap,
  where,
  zeros,
} from '../../src/index.js';

const x = tensor([1, 2]);
const y = tensor([1, 2]);
type HostData = Float32Array | Float64Array | Int32Array | Uint8Array;

describe('tensors', () => {
  test('are made of numbers, booleans and typed arrays', () => {
    expectTypeOf(tensor([[true], [false]])).toEqualTypeOf<Tensor>();
    expectTypeOf(tensor(new Uint8Array(4), { shape: [2, 2], dtype: 'float32' })).toEqualTypeOf<Tensor>();
    expectTypeOf<DType>().toEqualTypeOf<'float32' | 'float64' | 'int32' | 'uint8' | 'bool'>();
    // @ts-expect-error numbers, not texts
    tensor(['1']);
    // @ts-expect-error there is no float16 yet
    zeros([2], { dtype: 'float16' });
    // @ts-expect-error a shape is an array
    zeros(2);
  });

  test('give values as promises, and at once when asked for it', () => {
    expectTypeOf(x.data()).resolves.toEqualTypeOf<HostData>();
    expectTypeOf(x.dataSync()).toEqualTypeOf<HostData>();
    expectTypeOf(x.item()).resolves.toBeNumber();
    expectTypeOf(x.shape).toEqualTypeOf<readonly number[]>();
    // @ts-expect-error the shape of a node never changes
    x.shape = [2];
    // @ts-expect-error nor do the numbers of one
    x.shape[0] = 2;
  });

  test('have the operations as methods that take tensors, cells and numbers', () => {
    const p = new Parameter(x);
    expectTypeOf(x.add(1).mul(p).matmul(y).sum({ axis: 0, keepDims: true })).toEqualTypeOf<Tensor>();
    expectTypeOf(where(x.greater(0), x, 0)).toEqualTypeOf<Tensor>();
    expectTypeOf(x.split(2)).toEqualTypeOf<Tensor[]>();
    // @ts-expect-error text
    x.add('1');
    // @ts-expect-error keepDims has a capital D
    x.sum({ keepdims: true });
    // @ts-expect-error argmax takes one axis
    x.argmax({ axis: [0, 1] });
    // There is no tape to walk back: the method is there to say so.
    expectTypeOf(x.backward()).toBeNever();
  });
});

describe('compile', () => {
  test('keeps arguments and result', () => {
    const step = compile((a: Tensor, rate: number, flags: { train: boolean }) => ({ loss: a.mul(rate).sum(), flags }));
    expectTypeOf(step).parameters.toEqualTypeOf<[a: Tensor, rate: number, flags: { train: boolean }]>();
    expectTypeOf(step).returns.toEqualTypeOf<{ loss: Tensor; flags: { train: boolean } }>();
    expectTypeOf(step.sync).parameters.toEqualTypeOf<[a: Tensor, rate: number, flags: { train: boolean }]>();
    expectTypeOf(step.sync).returns.toEqualTypeOf<{ loss: Tensor; flags: { train: boolean } }>();
    expectTypeOf(step.scan).returns.toEqualTypeOf<{ loss: Tensor; flags: { train: boolean } }>();
    expectTypeOf(step.traces).toBeNumber();
    expectTypeOf(compile((a: Tensor): [Tensor, Tensor] => [a, a])).toEqualTypeOf<
      Compiled<[Tensor], [Tensor, Tensor]>
    >();
    // @ts-expect-error an argument is missing
    step(x, 1);
    // @ts-expect-error the arguments are the other way round
    step(1, x, { train: true });
    // @ts-expect-error counted, not set
    step.traces = 0;
    // @ts-expect-error the size of a batch is missing
    step.scan({ data: [x], indices: Int32Array.of(0) });
    // @ts-expect-error row numbers are an Int32Array
    step.scan({ data: [x], indices: [0], batch: 1 });
  });
});

describe('gradients', () => {
  test('of a model: value and gradients by path', () => {
    const model = new nn.Linear(2, 1);
    const lossAndGrad = valueAndGrad(model, (a: Tensor, b: Tensor) => mse(model.forward(a), b));
    expectTypeOf(lossAndGrad).parameters.toEqualTypeOf<[a: Tensor, b: Tensor]>();
    expectTypeOf(lossAndGrad).returns.toEqualTypeOf<[value: Tensor, grads: Gradients]>();
    const withAux = valueAndGrad(model, (a: Tensor): [Tensor, { outputs: Tensor }] => [a.sum(), { outputs: a }]);
    expectTypeOf(withAux(x)[0]).toEqualTypeOf<[Tensor, { outputs: Tensor }]>();
    // @ts-expect-error the function is missing
    valueAndGrad(model);
    // @ts-expect-error a loss is a tensor
    valueAndGrad(model, (_: Tensor) => 1);
    // @ts-expect-error nothing trainable about it
    valueAndGrad({}, (a: Tensor) => a.sum());
  });

  test('of arguments: the structure of the argument', () => {
    expectTypeOf(grad((a: Tensor) => a.sum())).returns.toEqualTypeOf<Tensor>();
    expectTypeOf(valueAndGrad((a: Tensor) => a.sum())).returns.toEqualTypeOf<[value: Tensor, grads: Tensor]>();
    const ofTree = grad((p: { w: Tensor; layers: readonly Tensor[] }, a: Tensor) => p.w.mul(a).sum());
    expectTypeOf(ofTree).returns.toEqualTypeOf<{ readonly w: Tensor; readonly layers: readonly Tensor[] }>();
    const second = grad((p: { w: Tensor }, a: Tensor) => p.w.mul(a).sum(), 1);
    expectTypeOf(second).returns.toEqualTypeOf<Tensor>();
    const several = grad((p: { w: Tensor }, a: Tensor) => p.w.mul(a).sum(), [1, 0]);
    expectTypeOf(several).returns.toEqualTypeOf<readonly [Tensor, { readonly w: Tensor }]>();
    const pair = valueAndGrad((a: Tensor, b: Tensor) => a.mul(b).sum(), [0, 1]);
    expectTypeOf(pair).returns.toEqualTypeOf<[value: Tensor, grads: readonly [Tensor, Tensor]]>();
    expectTypeOf(grad(grad((a: Tensor) => a.pow(3).sum()))).parameters.toEqualTypeOf<[a: Tensor]>();
    // @ts-expect-error numbers of arguments, not names
    grad((a: Tensor) => a.sum(), 'a');
    // @ts-expect-error a tensor, not a number
    grad((a: Tensor) => a.sum())(1);
  });

  test('vjp keeps value and arguments', () => {
    const [value, pullback] = vjp((a: Tensor, b: Tensor): [Tensor, Tensor] => [a.mul(b), b], x, y);
    expectTypeOf(value).toEqualTypeOf<[Tensor, Tensor]>();
    expectTypeOf(pullback).parameters.toEqualTypeOf<[cotangent: readonly [Tensor, Tensor]]>();
    expectTypeOf(pullback).returns.toEqualTypeOf<readonly [Tensor, Tensor]>();
    // @ts-expect-error the function has two arguments
    vjp((a: Tensor, b: Tensor) => a.mul(b), x);
  });

  test('jvp, jacobian, hessian and vmap follow the structure', () => {
    const [value, tangent] = jvp((p: { w: Tensor }) => ({ y: p.w }), [{ w: x }], [{ w: y }]);
    expectTypeOf(value).toEqualTypeOf<{ y: Tensor }>();
    expectTypeOf(tangent).toEqualTypeOf<{ readonly y: Tensor }>();
    expectTypeOf(jacobian((a: Tensor) => a.mul(a))).returns.toEqualTypeOf<Tensor>();
    expectTypeOf(hessian((p: { w: Tensor }) => p.w.sum())({ w: x }).w.w).toEqualTypeOf<Tensor>();
    expectTypeOf(vmap((a: Tensor, k: number) => [a.mul(k)])).toEqualTypeOf<(a: Tensor, k: number) => Tensor[]>();
    // @ts-expect-error the tangent has the structure of the argument
    jvp((p: { w: Tensor }) => p.w, [{ w: x }], [x]);
    // @ts-expect-error an axis is a number
    vmap((a: Tensor) => a, { inAxes: 'rows' });
  });
});

describe('modules', () => {
  class Attention extends nn.Module<[query: Tensor, mask?: Tensor], [out: Tensor, weights: Tensor]> {
    readonly scale = new Parameter(zeros([1]));
    forward(query: Tensor, mask?: Tensor): [Tensor, Tensor] {
      return [query.mul(this.scale), mask ?? query];
    }
  }

  test('say what forward takes and gives', () => {
    const attention = new Attention();
    expectTypeOf(attention.forward).parameters.toEqualTypeOf<[query: Tensor, mask?: Tensor | undefined]>();
    expectTypeOf(attention.forward(x)).toEqualTypeOf<[Tensor, Tensor]>();
    expectTypeOf(new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU()).forward(x)).toEqualTypeOf<Tensor>();
    expectTypeOf(attention.train()).toEqualTypeOf<Attention>();
    expectTypeOf(attention.namedParameters()).toEqualTypeOf<Map<string, Parameter>>();
    expectTypeOf(attention.buffers()).toEqualTypeOf<State[]>();
    expectTypeOf(attention.stateDict()).resolves.toEqualTypeOf<Record<string, Tensor>>();
    expectTypeOf(attention.load('file')).resolves.toEqualTypeOf<nn.LoadReport>();
    expectTypeOf(new nn.Linear(2, 3).bias).toEqualTypeOf<Parameter | null>();
    // @ts-expect-error Sequential passes one tensor on
    new nn.Sequential(attention);
    // @ts-expect-error new is missing
    new nn.Sequential(nn.ReLU);
    // @ts-expect-error both sizes
    new nn.Linear(2);
    // @ts-expect-error weights have a floating-point type
    new nn.Linear(2, 3, { dtype: 'int32' });
    // @ts-expect-error a module says what forward does
    new (class extends nn.Module {})();
    new (class extends nn.Module {
      // @ts-expect-error a module without type arguments gives a tensor
      forward(a: Tensor): number {
        return a.shape[0];
      }
    })();
  });
});

describe('files and data', () => {
  test('are typed', () => {
    expectTypeOf(io.readSafetensors('file')).resolves.toEqualTypeOf<io.SafetensorsFile>();
    expectTypeOf(readIdx('file')).resolves.toEqualTypeOf<HostTensor>();
    expectTypeOf(mnist()).resolves.toEqualTypeOf<Mnist>();
    // @ts-expect-error dir, as everywhere
    mnist({ directory: '.' });
  });
});
