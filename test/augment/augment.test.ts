import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PictureDraws } from '../../src/augment/draws.js';
import { drawMix } from '../../src/augment/mix.js';
import { augment, seed, type Tensor, tensor } from '../../src/index.js';

/** Bytes 0 … n − 1 as pictures `[1, ...shape]`. */
function counting(...shape: number[]): Tensor {
  const n = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Uint8Array.from({ length: n }, (_, i) => i),
    { shape: [1, ...shape] },
  );
}

async function bytes(a: augment.Augmentation, x: Tensor): Promise<number[]> {
  return [...(await (await a.apply(x, { seed: 1 })).data())];
}

describe('geometry', () => {
  const golden = JSON.parse(readFileSync(new URL('goldens/resample.json', import.meta.url), 'utf8')) as {
    shape: [number, number];
    picture: number[];
    results: Record<string, number[]>;
  };

  it.each(Object.keys(golden.results))('four steps in one pass give what scipy gives, outside: %s', async (mode) => {
    const fill = mode === '0.25' ? 0.25 : (mode as 'nearest' | 'reflect');
    const a = augment.compose(
      [
        augment.rotate([25, 25]),
        augment.zoom([1.3, 1.3], { y: [0.8, 0.8] }),
        augment.shift({ x: [0.15, 0.15], y: [-0.1, -0.1] }),
        augment.shear([12, 12], { y: [-7, -7] }),
      ],
      { fill },
    );
    const x = tensor(Float32Array.from(golden.picture), { shape: [1, ...golden.shape] });
    const out = await (await a.apply(x)).data();
    // Sums of four float32 values in [0, 1], rounded once; positions are float64 and differ by some 1e-15.
    golden.results[mode].forEach((v, i) => {
      expect(Math.abs(out[i] - v)).toBeLessThanOrEqual(2 ** -23);
    });
  });

  it('moves whole pixels exactly', async () => {
    const x = counting(2, 3);
    const all: [augment.Augmentation, number[]][] = [
      [augment.rotate(0), [0, 1, 2, 3, 4, 5]],
      [augment.shift({ x: [1 / 3, 1 / 3] }), [0, 0, 1, 0, 3, 4]],
      [augment.shift({ y: [-0.5, -0.5] }), [3, 4, 5, 0, 0, 0]],
      [augment.flip({ horizontal: 1 }), [2, 1, 0, 5, 4, 3]],
      [augment.flip({ horizontal: 0, vertical: 1 }), [3, 4, 5, 0, 1, 2]],
      [augment.rotate([180, 180]), [5, 4, 3, 2, 1, 0]],
      [augment.compose([augment.rotate([90, 90]), augment.rotate([-90, -90])]), [0, 1, 2, 3, 4, 5]],
      [augment.resizedCrop([2, 3], { area: [1, 1], ratio: [1.5, 1.5] }), [0, 1, 2, 3, 4, 5]],
    ];
    for (const [a, expected] of all)
      expect([a.toString(), ...(await bytes(a, x))]).toEqual([a.toString(), ...expected]);
    // A quarter turn counter-clockwise: the right column becomes the top row.
    expect(await bytes(augment.rotate([90, 90]), counting(2, 2))).toEqual([1, 3, 0, 2]);
    expect(await bytes(augment.flip({ horizontal: 1 }), counting(1, 2, 3))).toEqual([3, 4, 5, 0, 1, 2]);
  });

  it('joins what follows each other: turning back blurs nothing; a step between makes two passes', async () => {
    const noise = Float32Array.from({ length: 25 * 25 }, (_, i) => ((i * 7919) % 101) / 101);
    const x = tensor(noise, { shape: [1, 25, 25] });
    const [there, back] = [augment.rotate([20, 20]), augment.rotate([-20, -20])];
    const middle = 12 * 25 + 12;
    const at = async (a: augment.Augmentation): Promise<number> => (await (await a.apply(x)).data())[middle + 3];
    expect(await at(augment.compose([there, back]))).toBeCloseTo(noise[middle + 3], 6);
    expect(
      Math.abs((await at(augment.compose([there, augment.brightness(0), back]))) - noise[middle + 3]),
    ).toBeGreaterThan(0.01);
  });

  it('crops within the padded picture at every place, and only there', async () => {
    const x = counting(3, 3);
    const many = tensor(new Uint8Array(300).fill(7), { shape: [300, 1, 1] });
    const corners = new Set<string>();
    const a = augment.crop(2);
    for (let s = 0; s < 60; s++) corners.add([...(await (await a.apply(x, { seed: s })).data())].join());
    expect([...corners].sort()).toEqual(['0,1,3,4', '1,2,4,5', '3,4,6,7', '4,5,7,8']);
    const kept = (await (await augment.crop(null, { padding: 1 }).apply(many, { seed: 3 })).data()).filter(
      (v) => v === 7,
    );
    // 1 of 9 places keeps the pixel: binomial, 33.3 ± 5 standard deviations of 5.4.
    expect(Math.abs(kept.length - 300 / 9)).toBeLessThan(27);
    expect(augment.crop([2, 1]).outputShape([3, 3, 1])).toEqual([2, 1, 1]);
    expect(augment.resizedCrop([4, 5]).outputShape([9, 9])).toEqual([4, 5]);
  });

  it('elastic displacements have the size of their definition and are smooth', async () => {
    const [n, side, alpha, sigma] = [40, 28, 34, 4];
    const ramp = Float32Array.from({ length: n * side * side }, (_, i) => 100 + (i % side));
    const x = tensor(ramp, { shape: [n, side, side] });
    const out = await (await augment.elastic({ alpha, sigma }).apply(x, { seed: 2 })).data();
    let [square, step, count] = [0, 0, 0];
    for (let i = 0; i < out.length; i++) {
      const [px, py] = [i % side, Math.floor(i / side) % side];
      if (px < 7 || px > 19 || py < 7 || py > 19) continue; // 5 deviations from the border
      const u = out[i] - ramp[i];
      square += u * u;
      step += (out[i + 1] - ramp[i + 1] - u) ** 2;
      count++;
    }
    // Noise of variance 1/3 under a Gaussian: variance / (4 π σ²); neighbours differ by a share 1 / (2 σ²) of it.
    const variance = (alpha * alpha) / 3 / (4 * Math.PI * sigma * sigma);
    // 40 pictures see about 40 · (12 / 8)² independent places: ± 5 standard errors of the variance are 5 √(2 / 90).
    expect(Math.abs(square / count / variance - 1)).toBeLessThan(0.75);
    expect(step / square).toBeLessThan(1.5 / (2 * sigma * sigma));
  });
});

describe('values', () => {
  const grey = tensor(Uint8Array.of(0, 100, 200, 250), { shape: [1, 2, 2] });
  it.each([
    ['brightness', augment.brightness([1.2, 1.2]), [0, 120, 240, 255]],
    [
      'brightness above black 50',
      augment.compose([augment.brightness([2, 2])], { range: [50, 255] }),
      [50, 150, 255, 255],
    ],
    ['contrast about the mean 137.5', augment.contrast([0.5, 0.5]), [69, 119, 169, 194]],
    ['cutout', augment.cutout(5, { value: 9 }), [9, 9, 9, 9]],
    ['erase', augment.erase({ probability: 1, area: [1, 1], ratio: [1, 1], value: 3 }), [3, 3, 3, 3]],
    ['nothing', augment.erase({ probability: 0 }), [0, 100, 200, 250]],
  ])('%s', async (_, a, expected) => expect(await bytes(a, grey)).toEqual(expected));

  it('saturation goes to the grey of each pixel', async () => {
    const x = tensor(Uint8Array.of(200, 100, 0, 10, 10, 10), { shape: [1, 1, 2, 3] });
    // 0.2989·200 + 0.587·100 = 118.48; the weights sum to 0.9999.
    expect(await bytes(augment.saturation([0, 0]), x)).toEqual([118, 118, 118, 10, 10, 10]);
  });

  it('noise has its deviation and keeps to the range; erased boxes have their area', async () => {
    const x = tensor(new Float32Array(20_000).fill(0.5), { shape: [2, 100, 100] });
    const noisy = (await (await augment.noise(0.1).apply(x, { seed: 1 })).data()) as Float32Array;
    const std = Math.sqrt(noisy.reduce((s, v) => s + (v - 0.5) ** 2, 0) / noisy.length);
    expect(Math.abs(std - 0.1)).toBeLessThan((5 * 0.1) / Math.sqrt(2 * 20_000)); // 5 standard errors
    const wild = await (await augment.noise(5).apply(x, { seed: 1 })).data();
    expect([Math.min(...wild), Math.max(...wild)]).toEqual([0, 1]);
    const boxes = augment.erase({ probability: 1, area: [0.2, 0.3] });
    const erased = (await (await boxes.apply(x, { seed: 4 })).data()) as Float32Array;
    for (const picture of [erased.subarray(0, 10_000), erased.subarray(10_000)]) {
      const share = picture.reduce((s, v) => s + (v === 0 ? 1 : 0), 0) / 10_000;
      expect(share).toBeGreaterThan(0.19); // sides are rounded to pixels
      expect(share).toBeLessThan(0.31);
    }
  });
});

describe('random numbers', () => {
  const a = augment.compose([augment.rotate(20), augment.elastic(), augment.noise(0.1), augment.cutout(2)]);
  const x = tensor(
    Float32Array.from({ length: 64 * 36 }, (_, i) => (i % 36) / 36),
    { shape: [64, 6, 6, 1] },
  );

  it('follow the seed: the same again, others the next time', async () => {
    const draw = async (): Promise<string> => (await (await a.apply(x)).data()).join();
    seed(3);
    const [first, second] = [await draw(), await draw()];
    seed(3);
    expect([await draw(), await draw()]).toEqual([first, second]);
    expect(second).not.toBe(first);
  });

  it('are those of the picture, whatever threads make it and whatever is made with it', async () => {
    const mixing = augment.compose([a, augment.cutmix(), augment.mixup()]);
    const paint = async (workers: number): Promise<number[][]> => {
      const studio = mixing.open({ shape: [6, 6, 1], dtype: 'float32', seed: 5, workers });
      try {
        const source = studio.share(await x.data());
        const order = { pass: 2, first: 96, batch: 32 };
        const all = await studio.paint({ source, ...order });
        const rows = Int32Array.from({ length: 32 }, (_, i) => 32 + i);
        const second = await studio.paint({ source, rows, ...order, first: 128 });
        return [[...all], [...second]];
      } finally {
        await studio.close();
      }
    };
    const [alone, second] = await paint(0);
    expect(alone.slice(32 * 36)).toEqual(second);
    for (const workers of [1, 3]) expect(await paint(workers)).toEqual([alone, second]);
  });

  it('shares of a blend are Beta(α, α)', () => {
    const draws = new PictureDraws([1, 2], 'batch');
    for (const alpha of [0.2, 1, 3]) {
      const n = 4000;
      const values = Array.from({ length: n }, (_, i) => draws.of(0, i).beta(alpha));
      const variance = 1 / (4 * (2 * alpha + 1));
      const mean = values.reduce((s, v) => s + v, 0) / n;
      expect(Math.abs(mean - 0.5)).toBeLessThan(5 * Math.sqrt(variance / n));
      const measured = values.reduce((s, v) => s + (v - 0.5) ** 2, 0) / n;
      // The fourth moment of values in [0, 1] about 1/2 is at most variance / 4.
      expect(Math.abs(measured - variance)).toBeLessThan(5 * Math.sqrt(variance / 4 / n));
    }
    expect(drawMix([{ kind: 'mixup', probability: 0, alpha: 1, classes: null }], [1, 2], 0, 0, [2, 2])).toBeNull();
  });
});

describe('blends', () => {
  it.each([
    ['mixup', augment.mixup()],
    ['cutmix', augment.cutmix()],
    ['one of both', augment.compose([augment.mixup({ alpha: 0.4 }), augment.cutmix({ probability: 0.5 })])],
  ])('%s: labels have the shares that the pictures have', async (_, a) => {
    // Picture i is 2ⁱ everywhere and of class i: its mean after blending tells what it is made of.
    const n = 7;
    const pictures = Float32Array.from({ length: n * 36 }, (_, i) => 2 ** Math.floor(i / 36));
    const studio = a.open({ shape: [6, 6], dtype: 'float32', seed: 1, workers: 0 });
    for (let pass = 0; pass < 5; pass++) {
      const order = { pass, first: 0, batch: 3 }; // the last batch has one picture: its own partner
      const out = await studio.paint({ source: studio.share(pictures), ...order });
      const labels = studio.labels(
        Int32Array.from({ length: n }, (_, i) => i),
        n,
        order,
      );
      for (let i = 0; i < n; i++) {
        const own = [...labels.slice(i * n, (i + 1) * n)];
        expect(own.reduce((s, v) => s + v, 0)).toBeCloseTo(1, 6);
        const expected = own.reduce((s, v, k) => s + v * 2 ** k, 0);
        const mean = [...out.slice(i * 36, (i + 1) * 36)].reduce((s, v) => s + v, 0) / 36;
        expect(mean / expected).toBeCloseTo(1, 6);
      }
    }
  });
});

describe('preview', () => {
  it('draws each sample and its versions', async () => {
    const file = join(tmpdir(), `neurite-preview-${process.pid}.svg`);
    const x = tensor(new Uint8Array(3 * 48).fill(100), { shape: [3, 4, 4, 3] });
    try {
      const svg = await augment.preview(x, augment.crop(2), { file, samples: 2, versions: 4 });
      expect(svg.match(/<image /g)).toHaveLength(10);
      expect(readFileSync(file, 'utf8')).toBe(svg);
    } finally {
      rmSync(file, { force: true });
    }
    await expect(augment.preview(x, augment.mixup())).rejects.toThrow('mixup and cutmix are of batches');
    await expect(augment.preview(x, augment.flip(), { versions: 0 })).rejects.toThrow('versions is 0');
    await expect(augment.preview([] as never, augment.flip())).rejects.toThrow('expected a TensorDataset or a tensor');
    await expect(augment.preview(x, augment.flip as never)).rejects.toThrow('as augmentation');
  });
});

describe('bad input', () => {
  it.each<[() => unknown, string]>([
    [() => augment.rotate(-3), 'rotate: degrees is -3, expected a number >= 0 or a range'],
    [() => augment.rotate([3, 1]), 'rotate: degrees is [3,1]'],
    [() => augment.rotate('3' as never), 'expected a number >= 0 or a range [low, high]'],
    [() => augment.rotate(3, { probabilty: 1 } as never), 'Did you mean "probability"?'],
    [() => augment.rotate(3, { probability: 2 }), 'rotate: probability is 2, expected a number in [0, 1]'],
    [() => augment.shift(2), '2 pixels of 28 are 2 / 28'],
    [() => augment.shift({ z: 1 } as never), 'shift: unknown option "z"'],
    [() => augment.zoom(1), 'zoom: factor is 1, expected factors above 0'],
    [() => augment.shear(90), 'less than 90 degrees'],
    [() => augment.flip({ horizontal: -1 }), 'flip: horizontal is -1'],
    [() => augment.crop(0), 'crop: size is 0, expected a whole number >= 1'],
    [() => augment.crop(3, { padding: -1 }), 'crop: padding is -1'],
    [() => augment.resizedCrop(3, { area: [0, 1] }), 'resizedCrop: area is [0,1], expected [low, high] in (0, 1]'],
    [() => augment.elastic({ sigma: 0 }), 'elastic: sigma is 0, expected a finite number > 0'],
    [() => augment.brightness([-1, 1]), 'brightness: amount is [-1,1]'],
    [() => augment.noise(-1), 'noise: std is -1'],
    [() => augment.erase({ value: 'black' as never }), 'erase: value is black'],
    [() => augment.cutout(1.5), 'cutout: size is 1.5'],
    [() => augment.mixup({ alpha: 0 }), 'mixup: alpha is 0'],
    [() => augment.cutmix({ classes: 1 }), 'cutmix: classes is 1'],
    [() => augment.compose(augment.flip() as never), 'expected an array of augmentations'],
    [() => augment.compose([augment.flip as never]), 'call it, as in augment.flip(…)'],
    [() => augment.compose([], { fill: 'edge' as never }), `fill is "edge", expected a finite number, 'nearest'`],
    [() => augment.compose([], { range: [1, 0] }), 'range is [1,0], expected [black, white]'],
    [() => augment.compose([], { workers: -1 }), 'compose: workers is -1'],
    [() => augment.flip().outputShape([784]), 'read them with mnist({ image: true })'],
    [() => augment.saturation(1).outputShape([3, 3, 1]), 'saturation is of pictures with 3 channels'],
    [() => augment.crop(9, { padding: 1 }).outputShape([6, 6]), 'crop of [9,9] from pictures of [6,6], [8,8] with'],
    [() => augment.flip().open({ shape: [2, 2], dtype: 'int32' }), 'pictures are int32, expected uint8 or float32'],
  ])('%s', (call, message) => expect(call).toThrow(message));

  it('apply refuses what it cannot do', async () => {
    await expect(augment.mixup().apply(counting(2, 2))).rejects.toThrow('use fit with { augment }');
    await expect(augment.flip().apply([1] as never)).rejects.toThrow('got no tensor');
    await expect(augment.flip().apply(counting(2, 2), { seed: -1 })).rejects.toThrow('seed is -1');
  });
});
