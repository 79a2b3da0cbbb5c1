import type { ComputationGraph } from './graph.js';
import { short } from './text.js';

/** Columns padded to their widest cell. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0].map((_, c) => Math.max(...rows.map((r) => r[c].length)));
  return rows.map((r) =>
    r
      .map((cell, c) => cell.padEnd(widths[c]))
      .join('  ')
      .trimEnd(),
  );
}

/** Nodes, then instructions, with totals. */
export function table(graph: ComputationGraph): string {
  const { nodes, program } = graph;
  const rows = [['node', 'op', 'inputs', 'shape', 'dtype', 'FLOPs', 'bytes', 'instruction', 'module']];
  for (const n of nodes) {
    rows.push([
      `${n.id}${n.isResult ? '*' : ''}`,
      n.label,
      n.inputs.join(' '),
      `[${n.shape}]`,
      n.dtype,
      short(n.flops).trim(),
      short(n.bytes).trim(),
      n.instructions.join(' '),
      n.module,
    ]);
  }
  const parts = [['', 'instruction', 'computes', 'FLOPs', 'bytes']];
  program.instructions.forEach((i, k) => {
    parts.push([String(k), i.opcode, i.op, short(i.flops).trim(), short(i.bytes).trim()]);
  });
  const { length } = program.instructions;
  return [
    `${nodes.length} nodes (* result), ${short(graph.flops)}FLOP`,
    ...aligned(rows),
    '',
    `Program: ${length} instruction${length === 1 ? '' : 's'}, ${short(program.flops)}FLOP, ${short(program.bytes)}B moved, arena ${short(program.arenaBytes)}B`,
    ...aligned(parts),
  ].join('\n');
}
