export { BagOfWords, type BagOfWordsOptions } from './bag-of-words.js';
export {
  type Category,
  type CategoryInput,
  LabelEncoder,
  OneHotEncoder,
  type OneHotOptions,
  OrdinalEncoder,
} from './encoders.js';
export { Imputer, type ImputerOptions } from './imputer.js';
export { Normalizer } from './normalizer.js';
export { PCA, type PCAOptions, Whitening, type WhiteningOptions } from './pca.js';
export { type AnyTransformer, fromJSON, Pipeline } from './pipeline.js';
export {
  type ConstantOption,
  MeanCenterer,
  type MinMaxOptions,
  MinMaxScaler,
  type RobustOptions,
  RobustScaler,
  StandardScaler,
} from './scalers.js';
export type { TransformerState } from './state.js';
export type { Like, Table, TableInput } from './table.js';
export type { ColumnEncoding, FieldValue } from './table-columns.js';
export {
  type EncodedRow,
  TableEncoder,
  type TableEncoderOptions,
  type TableRow,
  type TableRows,
} from './table-encoder.js';
export { Transformer } from './transformer.js';
