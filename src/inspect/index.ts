export {
  ComputationGraph,
  computationGraph,
  type DrawOptions,
  type GraphNode,
  type GraphProgram,
  type SvgOptions,
} from './graph.js';
