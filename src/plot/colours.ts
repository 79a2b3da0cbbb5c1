/** Lines and text that are drawn on any page: contrast of at least 4 : 1 on white and on near black (#111). */
export const INK = '#737b85';

/**
 * Colours of series, in order: blue, orange, green, violet, grey, brown. Each has a contrast of at least 3 : 1 on white and
 * on near black, and each two of them differ by at least 18 in CIELAB to normal, protan, deutan and tritan eyes.
 * The first three are close to those of Okabe and Ito (2008), Color universal design.
 */
export const COLOURS: readonly string[] = ['#006cb4', '#d86000', '#009c78', '#900cfc', '#9090b4', '#9c5430'];

/** After the last colour they begin again with another dash. */
const DASHES = ['', '6 4', '2 3', '9 3 2 3'];

export function colourOf(i: number): string {
  return COLOURS[i % COLOURS.length];
}

/** Value of stroke-dasharray for series i; '' is a whole line. */
export function dashOf(i: number): string {
  return DASHES[Math.floor(i / COLOURS.length) % DASHES.length];
}

export type ColourMap = 'viridis' | 'greys' | 'blues' | 'diverging';

/** Evenly spaced anchors; between them colours are interpolated. viridis: van der Walt and Smith (2015), CC0. */
const MAPS: Record<ColourMap, readonly string[]> = {
  viridis: ['#440154', '#472d7b', '#3b528b', '#2c728e', '#21918c', '#28ae80', '#5ec962', '#addc30', '#fde725'],
  greys: ['#000000', '#ffffff'],
  blues: ['#f3f7fb', '#c6dbef', '#86b7dc', '#3f8bc4', '#10599f', '#08306b'],
  diverging: ['#00497a', '#2f86c1', '#9ccbe8', '#f5f5f5', '#f6b98c', '#d86000', '#8a3700'],
};

export const COLOUR_MAPS = Object.keys(MAPS) as ColourMap[];

export type Rgb = readonly [number, number, number];

export function rgbOf(hex: string): Rgb {
  return [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16)) as unknown as Rgb;
}

export function hexOf(rgb: Rgb): string {
  return `#${rgb.map((c) => Math.round(c).toString(16).padStart(2, '0')).join('')}`;
}

/** Colour of t in [0, 1]; values outside take the ends. */
export function colourAt(map: ColourMap, t: number): Rgb {
  const stops = MAPS[map];
  const at = Math.min(1, Math.max(0, t)) * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(at));
  const [a, b] = [rgbOf(stops[i]), rgbOf(stops[i + 1])];
  return a.map((c, k) => c + (b[k] - c) * (at - i)) as unknown as Rgb;
}

/** Black or white, whichever can be read on the colour. */
export function inkOn(rgb: Rgb): string {
  // Black has the higher contrast from the luminance at which (L + 0.05)² = 1.05 · 0.05.
  return luminance(rgb) > 0.179 ? '#000000' : '#ffffff';
}

/** Relative luminance in [0, 1] @see WCAG 2.2. */
export function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((c) => (c <= 10.31475 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
