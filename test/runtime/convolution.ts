// The geometry of CONV and its gradients, and the definition of all three as one loop.
type List = readonly number[];

/** The words `geometry` of a convolution; each list is depth, height, width. Out sizes are the usual ones for padding on both sides. */
export interface ConvSpec {
  readonly n: number;
  readonly c: number;
  readonly o: number;
  readonly groups?: number;
  readonly in: List;
  readonly kernel: List;
  readonly out?: List;
  readonly stride?: List;
  readonly pad?: List;
  readonly dilation?: List;
}

export type Geometry = Required<ConvSpec> & { readonly words: List };

export function conv(s: ConvSpec): Geometry {
  const { n, c, o, groups = 1, kernel, stride = [1, 1, 1], pad = [0, 0, 0], dilation = [1, 1, 1] } = s;
  const size = (a: number) => Math.floor((s.in[a] + 2 * pad[a] - dilation[a] * (kernel[a] - 1) - 1) / stride[a]) + 1;
  const out = s.out ?? [0, 1, 2].map(size);
  const words = [n, c, o, groups, ...s.in, ...kernel, ...out, ...stride, ...pad, ...dilation];
  return { n, c, o, groups, in: s.in, kernel, out, stride, pad, dilation, words };
}

export const product = (xs: readonly number[]): number => xs.reduce((a, b) => a * b, 1);

/** Calls body(element of x, of w, of y) for every product of the convolution. */
export function forProducts(g: Geometry, body: (x: number, w: number, y: number) => void): void {
  const [groupC, groupO] = [g.c / g.groups, g.o / g.groups];
  const [taps, inside, outside] = [product(g.kernel), product(g.in), product(g.out)];
  const split = (i: number, of: readonly number[]) => [
    Math.floor(i / (of[1] * of[2])),
    Math.floor(i / of[2]) % of[1],
    i % of[2],
  ];
  for (let q = 0; q < outside; q++) {
    for (let tap = 0; tap < taps; tap++) {
      const [out, t] = [split(q, g.out), split(tap, g.kernel)];
      const p = [0, 1, 2].map((a) => out[a] * g.stride[a] + t[a] * g.dilation[a] - g.pad[a]);
      if (p.some((v, a) => v < 0 || v >= g.in[a])) continue;
      const at = (p[0] * g.in[1] + p[1]) * g.in[2] + p[2];
      for (let n = 0; n < g.n; n++) {
        for (let o = 0; o < g.o; o++) {
          const first = Math.floor(o / groupO) * groupC;
          for (let i = 0; i < groupC; i++) {
            body((n * inside + at) * g.c + first + i, (o * groupC + i) * taps + tap, (n * outside + q) * g.o + o);
          }
        }
      }
    }
  }
}
