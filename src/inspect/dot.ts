import type { DrawOptions, GraphNode } from './graph.js';
import { byModule, costText, drawn, shapeText } from './text.js';

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n')}"`;

/** Graphviz text: leaves are boxes, results double-lined, modules clusters. */
export function dot(nodes: readonly GraphNode[], options: DrawOptions): string {
  const list = drawn(nodes, options);
  const lines = ['digraph neurite {', '  rankdir=TB;', '  node [fontname="sans-serif", fontsize=10];'];
  let cluster = 0;
  for (const [module, group] of byModule(list)) {
    const indent = module === '' ? '  ' : '    ';
    if (module !== '') lines.push(`  subgraph cluster_${cluster++} {`, `    label=${quoted(module)};`);
    for (const { node, title } of group) {
      const shape = node.kind === 'leaf' || node.inputs.length === 0 ? 'box' : 'ellipse';
      const label = quoted(`${title}\n${shapeText(node)}\n${costText(node)}`);
      lines.push(`${indent}n${node.id} [shape=${shape}, label=${label}${node.isResult ? ', peripheries=2' : ''}];`);
    }
    if (module !== '') lines.push('  }');
  }
  for (const { node, inputs } of list) for (const i of inputs) lines.push(`  n${i} -> n${node.id};`);
  return `${lines.join('\n')}\n}\n`;
}
