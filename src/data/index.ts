export { type BatchOptions, type DataInput, type DatasetOptions, type SplitOptions, TensorDataset } from './dataset.js';
