import type { ComputationGraph, SvgOptions } from './graph.js';
import { layered, type Point } from './layout.js';
import { costText, type Drawn, drawn, shapeText, short } from './text.js';

const FONT = 11;
const LINE = 15;
const PADDING = 9;
const BOX = 3 * LINE + PADDING;
const ROW = BOX + 34;

/** Boxes carry their own ground and ink; what stands on the page is a grey that white and black both show. */
const PAGE_INK = '#808890';
const GROUNDS: Readonly<Record<string, string>> = {
  leaf: '#fdf0c4',
  elementwise: '#d5e8fb',
  matmul: '#f9d9c2',
  reduce: '#d3f0dc',
  coarse: '#e8dcf7',
};
const OTHER = '#e9ecef';
const INK = '#16202a';

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c] as string);
const round = (x: number): string => String(Number(x.toFixed(1)));

function textAt(x: number, y: number, text: string, fill: string, extra = ''): string {
  return `<text x="${round(x)}" y="${round(y)}" fill="${fill}"${extra}>${escaped(text)}</text>`;
}

/** Rows of text, the first bold; widths by a wide average character, since nothing here can measure a font. */
function widthOf(lines: readonly string[]): number {
  return Math.max(...lines.map((l, i) => l.length * (i === 0 ? 0.66 : 0.58))) * FONT + 2 * PADDING;
}

function linesOf({ node, title }: Drawn): string[] {
  return [title, shapeText(node), costText(node)];
}

function curve(points: readonly Point[]): string {
  let path = `M${round(points[0].x)} ${round(points[0].y)}`;
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1], points[i]];
    const y = round((a.y + b.y) / 2);
    path += `C${round(a.x)} ${y} ${round(b.x)} ${y} ${round(b.x)} ${round(b.y)}`;
  }
  return path;
}

function box(d: Drawn, { x, y }: Point, width: number): string {
  const { node } = d;
  const ground = GROUNDS[node.inputs.length === 0 ? 'leaf' : node.kind] ?? OTHER;
  const edge = node.isResult ? ` stroke="#c2410c" stroke-width="2.5"` : ` stroke="${PAGE_INK}"`;
  const rounding = node.inputs.length === 0 ? 2 : 9;
  const parts = [
    `<rect x="${round(x - width / 2)}" y="${round(y - BOX / 2)}" width="${round(width)}" height="${BOX}" rx="${rounding}" fill="${ground}"${edge}/>`,
  ];
  linesOf(d).forEach((line, i) => {
    const weight = i === 0 ? ' font-weight="bold"' : '';
    parts.push(textAt(x, y - LINE + 4 + i * LINE, line, INK, ` text-anchor="middle"${weight}`));
  });
  if (node.instructions.length > 0) {
    const tag = node.instructions.map((i) => `#${i}`).join(' ');
    parts.push(textAt(x + width / 2 - 4, y - BOX / 2 - 3, tag, PAGE_INK, ' text-anchor="end" font-size="9"'));
  }
  return parts.join('');
}

/** A picture of the graph, inputs at the top; `#n` over a box is the instruction that computes it. */
export function svg(graph: ComputationGraph, options: SvgOptions): string {
  const list = drawn(graph.nodes, options);
  const at = new Map(list.map((d, i) => [d.node.id, i]));
  const widths = list.map((d) => widthOf(linesOf(d)));
  const boxes = list.map((d, i) => ({ width: widths[i], inputs: d.inputs.map((x) => at.get(x) as number) }));
  const { centers, edges, ...size } = layered(boxes, ROW, BOX);
  const parts: string[] = [];
  for (const { points } of edges) {
    parts.push(
      `<path d="${curve(points)}" fill="none" stroke="${PAGE_INK}" stroke-width="1.3" marker-end="url(#tip)"/>`,
    );
  }
  list.forEach((d, i) => void parts.push(box(d, centers[i], widths[i])));
  let { width, height } = size;
  if (options.program === true) {
    const lines = programLines(graph);
    lines.forEach((line, i) => void parts.push(textAt(size.width + 10, 34 + i * LINE, line, PAGE_INK)));
    width += widthOf(lines) + 10;
    height = Math.max(height, 34 + lines.length * LINE + 12);
  }
  const view = `${round(width)} ${round(height)}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${view}" width="${round(width)}" height="${round(height)}" font-family="ui-sans-serif, system-ui, sans-serif" font-size="${FONT}">`,
    `<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0L8 4L0 8z" fill="${PAGE_INK}"/></marker></defs>`,
    ...parts,
    '</svg>',
  ].join('\n');
}

function programLines({ program }: ComputationGraph): string[] {
  const { instructions, flops, bytes, arenaBytes } = program;
  return [
    `Program: ${instructions.length} instruction${instructions.length === 1 ? '' : 's'}`,
    `${short(flops)}FLOP, ${short(bytes)}B moved, arena ${short(arenaBytes)}B`,
    '',
    ...instructions.map((i, k) => `#${k} ${i.opcode}: ${i.op} (${short(i.flops)}FLOP, ${short(i.bytes)}B)`),
  ];
}
