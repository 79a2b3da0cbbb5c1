/** Neurite's native kernels on plain typed arrays. */
import '../ops/methods.js';

export type { DType, HostArray } from '../dtype.js';
export { configure } from '../engine/configure.js';
export { alignedArray } from './aligned.js';
export { type GemmOptions, gemm, type RealArray } from './gemm.js';
export { type ArraySpec, type Kernel, type KernelOptions, kernel } from './kernel.js';
export { type AxpyOptions, axpy, type MapFunction, map, type SoftmaxKernelOptions, softmax, sum } from './rows.js';
