export { type HostTensor, readIdx } from './idx.js';
export { type Mnist, type MnistOptions, mnist } from './mnist.js';
