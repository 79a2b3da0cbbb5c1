import { philox4x32 } from '../philox.js';

/** What a counter is for, so that no two uses share numbers. */
const PURPOSE = { picture: 0, batch: 1, field: 2 } as const;

/**
 * Random numbers of one picture, batch or field: they depend on key, pass and number alone, whoever draws them and when.
 * Counter: block of four words, pass, number, purpose. Source: {@link philox4x32}.
 */
export class PictureDraws {
  readonly #words = new Uint32Array(4);
  readonly #k0: number;
  readonly #k1: number;
  #pass = 0;
  readonly #purpose: number;
  #number = 0;
  #block = 0;
  #used = 4;

  constructor(key: readonly [number, number], purpose: keyof typeof PURPOSE) {
    this.#k0 = key[0];
    this.#k1 = key[1];
    this.#purpose = PURPOSE[purpose];
  }

  /** Begins the numbers of picture or batch `number` of a pass. */
  of(pass: number, number: number): this {
    this.#pass = pass;
    this.#number = number;
    this.#block = 0;
    this.#used = 4;
    return this;
  }

  /** Uniform in [0, 1), 32 bits. */
  uniform(): number {
    if (this.#used === 4) {
      philox4x32(this.#words, this.#block++, this.#pass, this.#number, this.#purpose, this.#k0, this.#k1);
      this.#used = 0;
    }
    return this.#words[this.#used++] * 2 ** -32;
  }

  /** Uniform in [low, high). */
  within(range: readonly [number, number]): number {
    return range[0] + this.uniform() * (range[1] - range[0]);
  }

  /** A whole number in [0, n), n far below 2³². */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** True with this probability; draws nothing when it is certain. */
  chance(probability: number): boolean {
    return probability >= 1 || (probability > 0 && this.uniform() < probability);
  }

  /** Standard normal, by Box and Muller. */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Beta(α, α) as a ratio of two gamma variables. */
  beta(alpha: number): number {
    const a = this.#gamma(alpha);
    const b = this.#gamma(alpha);
    return a + b === 0 ? 0.5 : a / (a + b); // both underflow only for tiny alpha
  }

  /** Gamma(α, 1). Source: Marsaglia and Tsang (2000), A simple method for generating gamma variables. */
  #gamma(alpha: number): number {
    if (alpha < 1) return this.#gamma(alpha + 1) * (1 - this.uniform()) ** (1 / alpha);
    const d = alpha - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      if (Math.log(1 - this.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }
}
