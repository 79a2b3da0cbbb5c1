import type { DrawOptions, GraphNode } from './graph.js';
import { byModule, costText, drawn, shapeText } from './text.js';

/** Mermaid's own escapes: entities without the ampersand. */
const escaped = (text: string): string => text.replace(/[&"<>#]/g, (c) => `#${c.charCodeAt(0)};`);

/** Mermaid flowchart: leaves are boxes, ops rounded, results double-lined, modules subgraphs. */
export function mermaid(nodes: readonly GraphNode[], options: DrawOptions): string {
  const list = drawn(nodes, options);
  const lines = ['flowchart TD'];
  let part = 0;
  for (const [module, group] of byModule(list)) {
    const indent = module === '' ? '  ' : '    ';
    if (module !== '') lines.push(`  subgraph m${part++}["${escaped(module)}"]`);
    for (const { node, title } of group) {
      const text = [title, shapeText(node), costText(node)].map(escaped).join('<br/>');
      const [open, close] = node.isResult ? ['[[', ']]'] : node.inputs.length === 0 ? ['[', ']'] : ['(', ')'];
      lines.push(`${indent}n${node.id}${open}"${text}"${close}`);
    }
    if (module !== '') lines.push('  end');
  }
  for (const { node, inputs } of list) for (const i of inputs) lines.push(`  n${i} --> n${node.id}`);
  return `${lines.join('\n')}\n`;
}
