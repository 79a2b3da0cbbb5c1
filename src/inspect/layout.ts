/** A box to place; `inputs` are indices of boxes that must be above it. */
export interface Box {
  readonly width: number;
  readonly inputs: readonly number[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Layout {
  /** Centre of each box. */
  readonly centers: readonly Point[];
  /** From each input to each box, through the gaps of the layers between. */
  readonly edges: readonly { readonly from: number; readonly to: number; readonly points: readonly Point[] }[];
  readonly width: number;
  readonly height: number;
}

interface Item {
  readonly layer: number;
  readonly width: number;
  readonly above: number[];
  readonly below: number[];
  x: number;
}

const GAP = 22;
const BEND = 10;
const SWEEPS = 12;

/**
 * Layered layout: longest paths give layers, long edges get a bend in each layer they pass, and the order and places in a layer
 * follow the neighbours' by sweeps down and up. Time is linear in boxes and bends for each sweep, but for the sorting.
 * @see Sugiyama, Tagawa and Toda, Methods for Visual Understanding of Hierarchical System Structures, 1981
 */
export function layered(boxes: readonly Box[], rowHeight: number, boxHeight: number): Layout {
  const layer = layersOf(boxes);
  const items: Item[] = boxes.map((b, i) => ({ layer: layer[i], width: b.width, above: [], below: [], x: 0 }));
  const routes: { from: number; to: number; via: number[] }[] = [];
  const link = (a: number, b: number) => {
    items[a].below.push(b);
    items[b].above.push(a);
  };
  for (const [to, { inputs }] of boxes.entries()) {
    for (const from of new Set(inputs)) {
      const via: number[] = [];
      let last = from;
      for (let l = layer[from] + 1; l < layer[to]; l++) {
        const bend = items.push({ layer: l, width: BEND, above: [], below: [], x: 0 }) - 1;
        link(last, bend);
        via.push(bend);
        last = bend;
      }
      link(last, to);
      routes.push({ from, to, via });
    }
  }
  const rows: number[][] = [];
  for (const [i, item] of items.entries()) {
    while (rows.length <= item.layer) rows.push([]);
    rows[item.layer].push(i);
  }
  for (const row of rows) spread(row, items, null);
  for (let s = 0; s < SWEEPS; s++) {
    const down = s % 2 === 0;
    const order = down ? rows : [...rows].reverse();
    for (const row of order) {
      const wish = new Map(row.map((i) => [i, middle(items[i], down, items)]));
      // The last sweeps keep the order and only move.
      if (s < SWEEPS - 4) row.sort((a, b) => (wish.get(a) as number) - (wish.get(b) as number));
      spread(row, items, wish);
    }
  }
  const left = Math.min(...items.map((i) => i.x - i.width / 2));
  const at = (i: number): Point => ({
    x: items[i].x - left + GAP,
    y: items[i].layer * rowHeight + boxHeight / 2 + GAP,
  });
  return {
    centers: boxes.map((_, i) => at(i)),
    edges: routes.map(({ from, to, via }) => {
      const [start, end] = [at(from), at(to)];
      return {
        from,
        to,
        points: [{ x: start.x, y: start.y + boxHeight / 2 }, ...via.map(at), { x: end.x, y: end.y - boxHeight / 2 }],
      };
    }),
    width: Math.max(...items.map((i) => i.x + i.width / 2)) - left + 2 * GAP,
    height: (rows.length - 1) * rowHeight + boxHeight + 2 * GAP,
  };
}

/** Longest path from the top; what has no inputs is put just above its first user. */
function layersOf(boxes: readonly Box[]): number[] {
  const layer = boxes.map(() => 0);
  for (const [i, { inputs }] of boxes.entries()) for (const x of inputs) layer[i] = Math.max(layer[i], layer[x] + 1);
  const first = boxes.map(() => Number.POSITIVE_INFINITY);
  for (const [i, { inputs }] of boxes.entries()) for (const x of inputs) first[x] = Math.min(first[x], layer[i]);
  return layer.map((l, i) => (boxes[i].inputs.length === 0 && first[i] < Number.POSITIVE_INFINITY ? first[i] - 1 : l));
}

/** Mean place of the neighbours above (or below); its own when there are none. */
function middle(item: Item, above: boolean, items: readonly Item[]): number {
  const list = above ? item.above : item.below;
  if (list.length === 0) return item.x;
  return list.reduce((sum, i) => sum + items[i].x, 0) / list.length;
}

/** Places a row in its order as near to the wishes as the widths allow: pushed to the right, then the excess taken back. */
function spread(row: readonly number[], items: readonly Item[], wish: ReadonlyMap<number, number> | null): void {
  let end = Number.NEGATIVE_INFINITY;
  let excess = 0;
  for (const i of row) {
    const item = items[i];
    const wanted = wish?.get(i) ?? 0;
    item.x = Math.max(wanted, end + item.width / 2);
    excess += item.x - wanted;
    end = item.x + item.width / 2 + GAP;
  }
  for (const i of row) items[i].x -= excess / row.length;
}
