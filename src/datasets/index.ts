export { type Cifar, type Cifar100Options, type CifarOptions, cifar10, cifar100 } from './cifar.js';
export { type HostTensor, readIdx } from './idx.js';
export {
  type ImageFolder,
  type ImageFolderOptions,
  type ImagePipelineOptions,
  type ImageSample,
  imageFolder,
} from './image-folder.js';
export { type Mnist, type MnistOptions, mnist } from './mnist.js';
