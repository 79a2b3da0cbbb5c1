export {
  type CheckpointContent,
  CheckpointDirectory,
  type CheckpointInfo,
  type CheckpointOptions,
  type LoadedCheckpoint,
} from './checkpoint.js';
export { EventWriter } from './events.js';
export { readFully, withFile, writeFileAtomic } from './files.js';
export { type NpyReadOptions, npyInfo, parseNpy, readNpy, writeNpy } from './npy.js';
export { type NpzReadOptions, type NpzWriteOptions, parseNpz, readNpz, writeNpz } from './npz.js';
export {
  parseSafetensors,
  readSafetensors,
  type SafetensorsFile,
  serializeSafetensors,
  type TensorData,
  writeSafetensors,
} from './safetensors.js';
