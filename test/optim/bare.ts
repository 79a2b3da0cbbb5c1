import { nn, Parameter, type Tensor } from '../../src/index.js';

/** A model of bare parameters. */
export class Bare extends nn.Module {
  p: Parameter[];
  constructor(...values: Tensor[]) {
    super();
    this.p = values.map((v) => new Parameter(v));
  }
  forward(x: Tensor): Tensor {
    return x;
  }
}

export const valuesOf = (model: nn.Module): Promise<number[][]> =>
  Promise.all(model.parameters().map(async (p) => [...(await p.read().data())]));
