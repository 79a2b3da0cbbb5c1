/** Parameter of one layer with its gradient and Adam moments. */
export interface Part {
  readonly w: Float32Array;
  readonly g: Float32Array;
  readonly m: Float32Array;
  readonly v: Float32Array;
}

export class Trainer {
  constructor(
    sizes: readonly number[],
    batch: number,
    options?: { lr?: number; beta1?: number; beta2?: number; eps?: number; random?: () => number },
  );
  readonly layers: readonly { readonly weight: Part; readonly bias: Part }[];
  lossAndGradients(x: Float32Array, labels: Int32Array): number;
  update(): void;
  trainStep(x: Float32Array, labels: Int32Array): number;
}

export function gemm(
  c: Float32Array,
  a: Float32Array,
  am: number,
  ak: number,
  b: Float32Array,
  bk: number,
  bn: number,
  m: number,
  n: number,
  k: number,
): void;
