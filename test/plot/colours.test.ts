import { describe, expect, it } from 'vitest';
import { COLOUR_MAPS, COLOURS, colourAt, INK, inkOn, luminance, type Rgb, rgbOf } from '../../src/plot/colours.js';

const linear = (c: number): number => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);

/** Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB. */
const EYES: Record<string, number[][]> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protan: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deutan: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritan: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};
const XYZ = [
  [0.4124, 0.3576, 0.1805],
  [0.2126, 0.7152, 0.0722],
  [0.0193, 0.1192, 0.9505],
];
const WHITE = [0.95047, 1, 1.08883];

const times = (m: number[][], v: readonly number[]): number[] =>
  m.map((row) => row.reduce((s, a, i) => s + a * v[i], 0));

/** CIELAB as the eye sees it. */
function lab(hex: string, eye: string): number[] {
  const rgb = times(EYES[eye], rgbOf(hex).map(linear)).map((c) => Math.min(1, Math.max(0, c)));
  const [fx, fy, fz] = times(XYZ, rgb).map((c, i) =>
    c / WHITE[i] > 0.008856 ? Math.cbrt(c / WHITE[i]) : 7.787 * (c / WHITE[i]) + 16 / 116,
  );
  return [116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)];
}

const contrast = (a: number, b: number): number => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);

describe('colours', () => {
  const dark = luminance(rgbOf('#111111'));

  it('of series stand out on white and on near black', () => {
    for (const colour of COLOURS) {
      const y = luminance(rgbOf(colour));
      expect(contrast(y, 1), colour).toBeGreaterThan(3);
      expect(contrast(y, dark), colour).toBeGreaterThan(3);
    }
  });

  it('of text can be read on white and on near black', () => {
    expect(contrast(luminance(rgbOf(INK)), 1)).toBeGreaterThan(4);
    expect(contrast(luminance(rgbOf(INK)), dark)).toBeGreaterThan(4);
  });

  it.each(Object.keys(EYES))('of series differ to %s eyes', (eye) => {
    COLOURS.forEach((a, i) => {
      for (const b of COLOURS.slice(i + 1)) {
        const [p, q] = [lab(a, eye), lab(b, eye)];
        expect(Math.hypot(...p.map((v, k) => v - q[k])), `${a} ${b}`).toBeGreaterThan(18);
      }
    });
  });

  it.each(COLOUR_MAPS)('of map %s run from end to end, with text that can be read on them', (map) => {
    for (let i = 0; i <= 100; i++) {
      const rgb: Rgb = colourAt(map, i / 100);
      expect(rgb.every((c) => c >= 0 && c <= 255)).toBe(true);
      expect(contrast(luminance(rgb), luminance(rgbOf(inkOn(rgb))))).toBeGreaterThan(4.5);
    }
    expect(colourAt(map, -1)).toEqual(colourAt(map, 0));
    expect(colourAt(map, 2)).toEqual(colourAt(map, 1));
  });

  it('of viridis get lighter all the way', () => {
    for (let i = 1; i <= 100; i++) {
      expect(luminance(colourAt('viridis', i / 100))).toBeGreaterThan(luminance(colourAt('viridis', (i - 1) / 100)));
    }
  });
});
