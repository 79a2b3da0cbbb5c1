// Packs the published package from a staging folder with its own manifest: release/neurite-<version>.tgz.
//   node tools/pack-release.mjs [--allow-missing]
// Takes dist (run `npm run build:ts` first) and release/prebuilds (`npm run prebuild`). Every published binary must be there;
// with --allow-missing those that are, for tests on one platform.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle } from './release/bundle.mjs';
import { publishedManifest } from './release/manifest.mjs';
import { BINARY_LIMIT, TARBALL_LIMIT } from './release/targets.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const stage = join(root, 'release', 'package');
const { values } = parseArgs({ options: { 'allow-missing': { type: 'boolean', default: false } } });

function fail(message) {
  console.error(`pack-release: ${message}`);
  process.exit(1);
}

for (const [path, command] of [
  ['dist/index.js', 'npm run build:ts'],
  ['release/prebuilds', 'npm run prebuild'],
]) {
  if (!existsSync(join(root, path))) fail(`${path} is missing; run \`${command}\` first`);
}
rmSync(stage, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });

// The declarations of tsc as they are; its JavaScript bundled, without source maps: the sources are not shipped.
cpSync(join(root, 'dist'), join(stage, 'dist'), {
  recursive: true,
  filter: (path) => statSync(path).isDirectory() || path.endsWith('.d.ts'),
});
const checkout = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const bundled = await bundle(join(root, 'dist'), join(stage, 'dist'), checkout);

// What `neurite build` compiles. The headers of Node-API are MIT, as their licence beside them says.
cpSync(join(root, 'native'), join(stage, 'native'), { recursive: true });
const headers = dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json'));
cpSync(join(headers, 'include'), join(stage, 'native', 'node-api'), { recursive: true });
cpSync(join(headers, 'LICENSE'), join(stage, 'native', 'node-api', 'LICENSE'));

cpSync(join(root, 'release', 'prebuilds'), join(stage, 'prebuilds'), { recursive: true });
const { PUBLISHED } = await import(new URL('../dist/runtime/loader.js', import.meta.url).href);
for (const name of PUBLISHED) {
  const [folder, libc] = name.split('.');
  const file = join(stage, 'prebuilds', folder, `neurite${libc ? `.${libc}` : ''}.node`);
  if (!existsSync(file)) {
    if (!values['allow-missing']) fail(`${file} is missing: every published binary must be in release/prebuilds`);
  } else if (statSync(file).size > BINARY_LIMIT) fail(`${file} is larger than ${BINARY_LIMIT} bytes`);
}

writeFileSync(join(stage, 'package.json'), `${JSON.stringify(publishedManifest(checkout), null, 2)}\n`);
for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md']) cpSync(join(root, file), join(stage, file));

const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ['npm'];
const [file, ...args] = [
  ...npm,
  'pack',
  stage,
  '--json',
  '--ignore-scripts',
  '--pack-destination',
  join(root, 'release'),
];
const output = execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const report = JSON.parse(output);
// npm 12 keys the report by package name; earlier ones list it.
const [packed] = Array.isArray(report) ? report : Object.values(report);
if (packed.size > TARBALL_LIMIT) fail(`the tarball has ${packed.size} bytes, more than ${TARBALL_LIMIT}`);
const surprising = packed.files.filter(({ path }) => /^binding\.gyp$|\.(js|ts)\.map$|(^|\/)(test|src)\//.test(path));
if (surprising.length > 0) fail(`the tarball has ${surprising.map((f) => f.path).join(', ')}`);
console.log(`dist: ${bundled.length} scripts, ${bundled.reduce((sum, { bytes }) => sum + bytes, 0)} bytes`);
console.log(
  `release/${packed.filename}: ${packed.size} bytes, ${packed.unpackedSize} unpacked, ${packed.entryCount} files`,
);
