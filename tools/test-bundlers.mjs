// Bundles a program with esbuild and webpack (from the npm registry) by the recipes of docs/install.md and runs the bundles.
//   node tools/test-bundlers.mjs
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prebuildPath, thisHost } from '../dist/runtime/loader.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const app = mkdtempSync(join(tmpdir(), 'neurite-bundlers-'));
const shell = process.platform === 'win32';
const entry = "import { tensor } from 'neurite';\nconsole.log('sum', tensor([1, 2, 3]).sum().itemSync());\n";
let failed = 0;

/** Runs a bundle with the package out of reach unless it is external, and compares what it prints. */
function expectRun(label, bundle, expected, env = {}) {
  const { stdout, stderr } = spawnSync(process.execPath, [bundle], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  const ok = (stdout + stderr).includes(expected);
  if (!ok) failed++;
  console.log(`${ok ? 'ok      ' : 'FAILED  '}${label}${ok ? '' : `: expected '${expected}' in\n${stdout}${stderr}`}`);
}

const npx = (...args) => execFileSync('npx', args, { cwd: app, stdio: ['ignore', 'ignore', 'inherit'], shell });

try {
  writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }\n');
  const tarball = join(root, 'release', `neurite-${version}.tgz`);
  const install = [
    'install',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    tarball,
    'esbuild',
    'webpack',
    'webpack-cli',
  ];
  execFileSync('npm', install, { cwd: app, stdio: ['ignore', 'ignore', 'inherit'], shell });
  writeFileSync(join(app, 'app.js'), entry);
  const node = ['app.js', '--bundle', '--platform=node', '--log-level=error'];
  npx('esbuild', ...node, '--format=esm', '--external:neurite', '--outfile=out/external.mjs');
  expectRun('esbuild, external, ESM', join(app, 'out/external.mjs'), 'sum 6');
  npx('esbuild', ...node, '--format=cjs', '--external:neurite', '--outfile=out/external.cjs');
  expectRun('esbuild, external, CommonJS', join(app, 'out/external.cjs'), 'sum 6');

  const away = mkdtempSync(join(tmpdir(), 'neurite-bundle-'));
  mkdirSync(join(away, 'a/b'), { recursive: true });
  npx('esbuild', ...node, '--format=esm', `--outfile=${join(away, 'a/b/whole.mjs')}`);
  expectRun('esbuild, bundled without its binary', join(away, 'a/b/whole.mjs'), '--external:neurite', {
    NEURITE_BINARY: '',
  });
  const binary = join(away, 'neurite.node');
  copyFileSync(join(app, 'node_modules/neurite', prebuildPath(thisHost())), binary);
  expectRun('esbuild, bundled, NEURITE_BINARY', join(away, 'a/b/whole.mjs'), 'sum 6', { NEURITE_BINARY: binary });
  npx(
    'esbuild',
    ...node,
    '--format=cjs',
    '--log-override:empty-import-meta=silent',
    `--outfile=${join(away, 'whole.cjs')}`,
  );
  expectRun('esbuild, bundled as CommonJS without its binary', join(away, 'whole.cjs'), '--external:neurite', {
    NEURITE_BINARY: '',
  });
  rmSync(away, { recursive: true, force: true });

  const config = {
    mode: 'production',
    target: 'node20',
    entry: './app.js',
    experiments: { outputModule: true },
    externals: { neurite: 'module neurite' },
    output: { filename: 'webpack.mjs', module: true, chunkFormat: 'module', library: { type: 'module' } },
  };
  writeFileSync(join(app, 'webpack.config.js'), `export default ${JSON.stringify(config)};\n`);
  npx('webpack', '--config', 'webpack.config.js');
  expectRun('webpack, external, ESM', join(app, 'dist/webpack.mjs'), 'sum 6');
} finally {
  rmSync(app, { recursive: true, force: true });
}
console.log(`bundlers: ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
