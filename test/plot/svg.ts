/** Reads what the plot room writes: a strict little XML parser, and where texts end up on the page. */

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

const NAME = '[A-Za-z][\\w-]*';

/** The root element. @throws for anything that is not well-formed. */
export function parse(svg: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  const token = new RegExp(`<(/?)(${NAME})((?:\\s+${NAME}="[^"<]*")*)\\s*(/?)>|([^<]+)`, 'y');
  while (token.lastIndex < svg.length) {
    const at = token.lastIndex;
    const match = token.exec(svg);
    if (match === null) throw new Error(`not well-formed at ${at}: ${svg.slice(at, at + 60)}`);
    const [, close, name, attributes, self, text] = match;
    const top = open[open.length - 1];
    if (text !== undefined) top.text += decoded(text);
    else if (close === '/') {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes <${top.name}> at ${at}`);
    } else {
      const list = [...attributes.matchAll(new RegExp(`(${NAME})="([^"]*)"`, 'g'))];
      const names = list.map((m) => m[1]);
      if (new Set(names).size < names.length) throw new Error(`an attribute twice at ${at}`);
      const element = {
        name,
        attributes: Object.fromEntries(list.map((m) => [m[1], decoded(m[2])])),
        children: [],
        text: '',
      };
      top.children.push(element);
      if (self !== '/') open.push(element);
    }
  }
  if (open.length !== 1 || root.children.length !== 1) throw new Error(`${open.length - 1} elements are left open`);
  return root.children[0];
}

function decoded(s: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(s)) throw new Error('a control character');
  const known: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  return s.replace(/&([^;]*);?/g, (all, name: string) => {
    if (!(name in known) || !all.endsWith(';')) throw new Error(`unknown entity ${all}`);
    return known[name];
  });
}

export interface Box {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Every text with the box it takes, more or less: letters of 0.58 em, a little wider than Arial's mean. */
export function textBoxes(root: Element): Box[] {
  const boxes: Box[] = [];
  const walk = (e: Element, dx: number, dy: number): void => {
    const { attributes: a } = e;
    const move = /^translate\(([-\d.]+) ([-\d.]+)\)$/.exec(a['transform'] ?? '');
    if (move !== null) [dx, dy] = [dx + Number(move[1]), dy + Number(move[2])];
    if (e.name === 'svg' && e !== root) {
      const [vx, vy] = (a['viewBox'] ?? '0 0').split(' ').map(Number);
      [dx, dy] = [dx + Number(a['x'] ?? 0) - vx, dy + Number(a['y'] ?? 0) - vy];
    }
    if (e.name === 'text') boxes.push(boxOf(e, dx, dy));
    for (const child of e.children) walk(child, dx, dy);
  };
  walk(root, 0, 0);
  return boxes;
}

function boxOf({ attributes: a, text }: Element, dx: number, dy: number): Box {
  const size = Number(a['font-size'] ?? 12);
  const width = [...text].length * size * 0.58;
  const start = { start: 0, middle: -width / 2, end: -width }[a['text-anchor'] ?? 'start'] ?? 0;
  const [x, y] = [Number(a['x']), Number(a['y'])];
  const angle = (Number(/^rotate\((-?\d+)/.exec(a['transform'] ?? '')?.[1] ?? 0) * Math.PI) / 180;
  const corners = [
    [start, -0.75 * size],
    [start + width, -0.75 * size],
    [start, 0.2 * size],
    [start + width, 0.2 * size],
  ].map(([u, v]) => [x + u * Math.cos(angle) - v * Math.sin(angle), y + u * Math.sin(angle) + v * Math.cos(angle)]);
  const [xs, ys] = [0, 1].map((k) => corners.map((c) => c[k]));
  return {
    text,
    left: dx + Math.min(...xs),
    right: dx + Math.max(...xs),
    top: dy + Math.min(...ys),
    bottom: dy + Math.max(...ys),
  };
}

/** What is wrong with the picture as such; empty for a good one. */
export function faults(svg: string): string[] {
  const root = parse(svg);
  const found: string[] = [];
  if (/NaN|Infinity|undefined|null/.test(svg.replace(/base64,[^"]*/g, ''))) found.push('a number that is none');
  const [, , width, height] = (root.attributes['viewBox'] ?? '').split(' ').map(Number);
  if (root.attributes['width'] !== String(width) || root.attributes['height'] !== String(height)) found.push('size');
  const boxes = textBoxes(root);
  for (const b of boxes) {
    if (b.left < -1 || b.right > width + 1 || b.top < -1 || b.bottom > height + 1) found.push(`"${b.text}" is outside`);
  }
  // Slanted texts side by side have boxes that overlap; level ones must not.
  const level = boxes.filter((b) => b.bottom - b.top < 20);
  level.forEach((a, i) => {
    for (const b of level.slice(i + 1)) {
      if (a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom) {
        found.push(`"${a.text}" overlaps "${b.text}"`);
      }
    }
  });
  return found;
}
