import { type Tensor, where } from '../../src/core.js';
import { TensorDataset } from '../../src/data/index.js';
import * as nn from '../../src/nn/index.js';

/** Points around three corners of a triangle with their corner as class; well apart, so that a small network learns them. */
export function blobs(n: number): TensorDataset {
  const corners = [
    [1, 0],
    [-0.5, 0.87],
    [-0.5, -0.87],
  ];
  // A small linear congruential generator: the data must not depend on what is tested.
  let state = 12345;
  const noise = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.5) * 0.6;
  };
  const labels = Int32Array.from({ length: n }, (_, i) => i % 3);
  const x = Array.from(labels, (c) => corners[c].map((v) => v + noise()));
  return new TensorDataset(x, labels);
}

export function network(): nn.Sequential {
  return new nn.Sequential(new nn.Linear(2, 16), new nn.ReLU(), new nn.Linear(16, 3));
}

/** All parameters as plain numbers, by path. */
export async function weights(model: nn.Module): Promise<Record<string, number[]>> {
  const out: Record<string, number[]> = {};
  for (const [path, p] of model.namedParameters()) out[path] = [...(await p.read().data())];
  return out;
}

/** A layer that gives `value` for samples whose first input is above 100. */
export class Trap extends nn.Module {
  private readonly value: number;
  constructor(value: number) {
    super();
    this.value = value;
  }
  forward(x: Tensor): Tensor {
    const hit = x.slice([{}, { start: 0, end: 1 }]).greater(100);
    return where(hit, this.value, x);
  }
}
