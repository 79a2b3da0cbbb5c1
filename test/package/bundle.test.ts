import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const tool = new URL('../../tools/release/bundle.mjs', import.meta.url);
const { bundle } = (await import(tool.href)) as {
  bundle(dist: string, out: string, manifest: object): Promise<{ file: string; bytes: number }[]>;
};

/** Two entries that share a class and a method set from afar, a command, and a worker that asks where it is. */
const FILES = {
  'index.js':
    "import './core/methods.js';\nexport { Thing } from './core/thing.js';\nexport { start } from './io/start.js';",
  'extra/index.js': "export { Thing } from '../core/thing.js';\nexport * as io from '../io/start.js';",
  'cli/main.js': "export const root = new URL('../../', import.meta.url).href;",
  'core/thing.js':
    '/** Ω */\nexport class Thing {}\nclass Hidden {}\nexport const thingName = () => new Hidden().constructor.name;',
  'core/methods.js': "import { Thing } from './thing.js';\nThing.prototype.hello = () => 'hello ✓';",
  'io/start.js':
    "export const start = () => new URL('./worker.js', import.meta.url).href;\nexport const here = import.meta.url;\nclass Hidden {}\nexport const name = new Hidden().constructor.name;\nexport const text = \"say new URL('./x.js', import.meta.url)\";",
  'io/worker.js': "export * from '../core/thing.js';",
};
const MANIFEST = {
  exports: {
    '.': { default: './dist/index.js' },
    './extra': { default: './dist/extra/index.js' },
    './package.json': './package.json',
  },
  bin: { thing: './dist/cli/main.js' },
};

describe('the bundle of a release', () => {
  let folder = '';
  const write = (files: Record<string, string>): void => {
    for (const [name, text] of Object.entries(files)) {
      const path = join(folder, 'dist', name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'neurite-bundle-test-'));
    // Its own manifest says that nothing has side effects; a package that believed it would lose its methods.
    writeFileSync(join(folder, 'package.json'), '{ "type": "module", "sideEffects": false }');
    write(FILES);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('has one copy of what entries share, all side effects, and URLs as before', async () => {
    const out = join(folder, 'out');
    const written = await bundle(join(folder, 'dist'), out, MANIFEST);
    expect(written.map(({ file }) => file)).toEqual(
      expect.arrayContaining(['index.js', 'extra/index.js', 'cli/main.js', 'io/worker.js']),
    );
    const url = (name: string): string => pathToFileURL(join(out, name)).href;
    const code = `
      const [a, b, w, m] = await Promise.all(${JSON.stringify(['index', 'extra/index', 'io/worker', 'cli/main'].map((n) => url(`${n}.js`)))}.map((u) => import(u)));
      console.log(JSON.stringify([a.Thing === b.Thing && b.Thing === w.Thing, new a.Thing().hello(), a.start(), b.io.here, m.root, w.thingName(), b.io.name, b.io.text]));`;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual([
      true,
      'hello ✓',
      url('io/worker.js'),
      url('io/start.js'),
      pathToFileURL(`${folder}/`).href,
      // Two classes of one name, in two modules that share a file.
      'Hidden',
      'Hidden',
      "say new URL('./x.js', import.meta.url)",
    ]);
  });

  it('gives a thread only what it imports, unless that is the engine', async () => {
    const out = join(folder, 'out');
    /** Texts of a script and of all that it imports. */
    const reads = (file: string): string => {
      const text = readFileSync(join(out, file), 'utf8');
      const imported = [...text.matchAll(/from "(\..*?)"/g)].map(([, path]) => reads(join(dirname(file), path)));
      return [text, ...imported].join('\n');
    };
    await bundle(join(folder, 'dist'), out, MANIFEST);
    expect(reads('io/worker.js')).toContain('/dist/core/thing.js\n');
    expect(reads('io/worker.js')).not.toContain('/dist/io/start.js\n');
    expect(reads('index.js')).toContain('/dist/io/start.js\n');

    write({
      'engine/run.js': "export { Thing } from '../core/thing.js';",
      'io/worker.js': "import '../engine/run.js';",
    });
    const written = await bundle(join(folder, 'dist'), out, MANIFEST);
    expect(written.filter(({ file }) => file.includes('threads'))).toEqual([]);
  });

  it('fails on a worker or an entry that is not there', async () => {
    write({ 'io/start.js': "export const start = () => new URL('./gone.js', import.meta.url);" });
    await expect(bundle(join(folder, 'dist'), join(folder, 'out'), MANIFEST)).rejects.toThrow(
      "io/start.js: new URL('./gone.js', import.meta.url) names no file of dist",
    );
    write(FILES);
    const manifest = { ...MANIFEST, bin: { thing: './dist/cli/absent.js' } };
    await expect(bundle(join(folder, 'dist'), join(folder, 'out'), manifest)).rejects.toThrow('dist/cli/absent.js');
  });

  it('fails on an import that leads nowhere', async () => {
    write({ 'index.js': "export { Thing } from './core/nothing.js';" });
    await expect(bundle(join(folder, 'dist'), join(folder, 'out'), MANIFEST)).rejects.toThrow('nothing.js');
  });
});
