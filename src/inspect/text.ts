import type { DrawOptions, GraphNode } from './graph.js';

/** 1.2 M, 340 k, 12: three digits and a prefix. */
export function short(x: number): string {
  for (const [size, prefix] of [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (x >= size) return `${Number((x / size).toPrecision(3))} ${prefix}`;
  }
  return `${x} `;
}

export function shapeText({ shape, dtype }: GraphNode): string {
  return `[${shape.join(', ')}] ${dtype}`;
}

/** What it costs: operations and bytes, the module's path first. */
export function costText({ module, flops, bytes }: GraphNode): string {
  const parts = [module, flops > 0 ? `${short(flops)}FLOP` : '', `${short(bytes)}B`];
  return parts.filter((p) => p !== '').join(' · ');
}

/** What a drawing shows: aliases and, unless asked for, constants are left out; edges go to what they stand for. */
export interface Drawn {
  readonly node: GraphNode;
  readonly title: string;
  readonly inputs: readonly number[];
}

export function drawn(nodes: readonly GraphNode[], { constants = false }: DrawOptions): Drawn[] {
  const hidden = (n: GraphNode) => !constants && n.constant !== null && !n.isResult;
  return nodes
    .filter((n) => !hidden(n))
    .map((node) => {
      const values = node.inputs.map((i) => nodes[i]);
      const own = values.filter(hidden).map((n) => n.label);
      const title = own.length === 0 ? node.label : `${node.label} (${own.join(', ')})`;
      return { node, title, inputs: values.filter((n) => !hidden(n)).map((n) => n.id) };
    });
}

/** Drawn nodes by module path, in order of first appearance. */
export function byModule(list: readonly Drawn[]): Map<string, Drawn[]> {
  const groups = new Map<string, Drawn[]>();
  for (const d of list) {
    const group = groups.get(d.node.module);
    if (group === undefined) groups.set(d.node.module, [d]);
    else group.push(d);
  }
  return groups;
}
