export {
  type BatchOptions,
  checkBatchSize,
  type DataInput,
  type DatasetOptions,
  type SplitOptions,
  TensorDataset,
  toTensor,
} from './dataset.js';
