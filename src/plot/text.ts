/** Text and numbers of SVG files: escaped, measured without fonts. */

/** Tenths of a pixel are enough and keep the file small. */
export function px(v: number): string {
  return String(Math.round(v * 10) / 10);
}

/** Any string as text or attribute value of an XML file. */
export function escapeXml(s: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  // Control characters, lone surrogates and two others are not legal in XML, not even escaped.
  return (
    String(s)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
      .replace(/[\u0000-\u001f\u007f-\u009f\ufffe\uffff]/g, ' ')
      .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
      .replace(/[&<>"']/g, (c) => entities[c])
  );
}

/**
 * Width in pixels that a common sans-serif needs at most, more or less: there are no font metrics here. Letters as in
 * DejaVu Sans, the widest of the usual ones.
 */
export function textWidth(s: string, size = 12): number {
  let em = 0;
  for (const c of String(s)) {
    if (/[il.,:;'|!jI ]/.test(c)) em += 0.36;
    else if (/[mwMW@%—]/.test(c)) em += 0.97;
    else if ((c.codePointAt(0) ?? 0) >= 0x1100) em += 1.05;
    else if (/[A-Z&=+<>~]/.test(c)) em += 0.76;
    else em += 0.64;
  }
  return em * size;
}

/** `s`, shortened with … until it is at most `width` pixels wide. */
export function fitText(s: string, width: number, size = 12): string {
  if (textWidth(s, size) <= width) return String(s); // JavaScript may pass numbers as names
  const letters = [...String(s)];
  while (letters.length > 1 && textWidth(`${letters.join('')}…`, size) > width) letters.pop();
  return `${letters.join('').trimEnd()}…`;
}

export interface TextOptions {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly size?: number;
  readonly weight?: number;
  readonly colour?: string;
  /** Degrees, around the text's own point. */
  readonly rotate?: number;
}

/** One line of text whose baseline starts, is centred or ends at (x, y). */
export function text(x: number, y: number, content: string, options: TextOptions = {}): string {
  const { anchor = 'middle', size, weight, colour, rotate } = options;
  const at = `x="${px(x)}" y="${px(y)}" text-anchor="${anchor}"`;
  const extra = [
    size === undefined ? '' : ` font-size="${size}"`,
    weight === undefined ? '' : ` font-weight="${weight}"`,
    colour === undefined ? '' : ` fill="${colour}"`,
    rotate === undefined ? '' : ` transform="rotate(${rotate} ${px(x)} ${px(y)})"`,
  ];
  return `<text ${at}${extra.join('')}>${escapeXml(content)}</text>`;
}
