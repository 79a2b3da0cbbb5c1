/** Switches read from the environment at load. */
export const settings = {
  /** NEURITE_EAGER=1: one instruction per op, nothing fused. Same bits, for tests and for finding faults. */
  eager: process.env['NEURITE_EAGER'] === '1',
};
