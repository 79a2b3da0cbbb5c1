// Loads and trains the packed tarball with many Node.js, and prints a table: Node x module system.
//   node tools/test-matrix.mjs [--versions 20,22,24,26] [--node "LABEL=COMMAND ARGUMENTS"]... [--workers 24]
// Versions come from the npm registry (node-<platform>-<arch>, what the package `node` installs). --node adds any other:
//   --node "arm64, qemu=/usr/bin/qemu-aarch64-static -L /usr/aarch64-linux-gnu PATH/node"    --node "musl=PATH/node"
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { checkExits } from './release/checks.mjs';
import { installed } from './release/sandbox.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    versions: { type: 'string', default: '20,22,24,26' },
    node: { type: 'string', multiple: true, default: [] },
    workers: { type: 'string', default: '24' },
  },
});
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const tarball = join(root, 'release', `neurite-${version}.tgz`);
const downloads = mkdtempSync(join(tmpdir(), 'neurite-nodes-'));
const TRAINED = /^trained \S/m;
const CHECKS = {
  import: (s) => s.expectOutput(['esm.mjs'], TRAINED),
  require: (s) => s.expectOutput(['cjs.cjs'], TRAINED),
  'import() in CJS': (s) => s.expectOutput(['dynamic.cjs'], TRAINED),
  'one copy': (s) => s.expectOutput(['both.mjs'], TRAINED),
  vm: (s) => s.expectOutput(['vm.mjs'], TRAINED),
  worker: (s) => s.expectOutput(['worker.mjs'], TRAINED),
  'workers terminated': (s) => s.expectOutput(['workers.mjs', values.workers], TRAINED),
  exits: (s) => checkExits(s, 1),
};

/** Node of a version from the registry; undefined where the registry has none for this platform. */
function fetchNode(wanted) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const folder = mkdtempSync(join(downloads, 'v'));
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', `${name}@${wanted}`], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  return join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

const launchers = [];
const rows = [];
let failed = 0;
try {
  for (const wanted of values.versions.split(',').filter(Boolean)) launchers.push(['registry', [fetchNode(wanted)]]);
  for (const given of values.node) {
    const at = given.indexOf('=');
    if (at < 0) throw new Error(`--node '${given}': expected LABEL=COMMAND`);
    launchers.push([
      given.slice(0, at),
      given
        .slice(at + 1)
        .trim()
        .split(/\s+/),
    ]);
  }
  for (const [label, launcher] of launchers) {
    const sandbox = installed(tarball, launcher);
    try {
      const { output } = await sandbox.node(['-p', 'process.version + " " + process.platform + "-" + process.arch']);
      const cells = [];
      for (const [name, check] of Object.entries(CHECKS)) {
        try {
          await check(sandbox);
          cells.push('ok');
        } catch (error) {
          failed++;
          cells.push('FAILED');
          console.error(`${output.trim()} (${label}), ${name}: ${error.message}`);
        }
      }
      rows.push([`${output.trim()} (${label})`, ...cells]);
      console.error(rows.at(-1).join(' | '));
    } finally {
      sandbox.remove();
    }
  }
} finally {
  rmSync(downloads, { recursive: true, force: true });
}
const line = (cells) => `| ${cells.join(' | ')} |`;
console.log(
  [
    line(['Node', ...Object.keys(CHECKS)]),
    line(['---', ...Object.keys(CHECKS).map(() => '---')]),
    ...rows.map(line),
  ].join('\n'),
);
console.log(`matrix: ${rows.length} Node.js, ${failed} failed`);
process.exitCode = failed > 0 || rows.length === 0 ? 1 : 0;
