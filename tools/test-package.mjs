// Installs release/neurite-<version>.tgz as a user would, and uses it in every way the install page promises.
//   node tools/test-package.mjs [--tarball FILE] [--workers 200] [--rounds 5] [--no-build]
// An empty folder, an empty home, a PATH with nothing but Node and npm, no install scripts, no registry.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import {
  checkBuild,
  checkCommand,
  checkExits,
  checkMissing,
  checkModules,
  checkTypes,
  checkUninstall,
} from './release/checks.mjs';
import { checkImport } from './release/import-budget.mjs';
import { installed } from './release/sandbox.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    tarball: { type: 'string' },
    workers: { type: 'string', default: '200' },
    rounds: { type: 'string', default: '5' },
    build: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const tarball = values.tarball ?? join(root, 'release', `neurite-${version}.tgz`);

let passed = 0;
const failures = [];
async function step(name, check) {
  const started = performance.now();
  try {
    const said = await check();
    passed++;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`ok      ${name} (${typeof said === 'string' ? `${said}; ` : ''}${seconds} s)`);
  } catch (error) {
    failures.push(name);
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}

const sandbox = installed(tarball);
try {
  await step('no script ran and nothing but the package was installed', () => sandbox.checkClean());
  for (const file of readdirSync(join(root, 'test/package/consumer')).sort()) {
    if (/^(esm|cjs|dynamic|both|vm|worker)\./.test(file))
      await step(`module system: ${file}`, () => checkModules(sandbox, file));
  }
  await step('own threads, and builtins loaded late', async () => {
    await sandbox.expectOutput(['late.mjs'], /^made 2048 pixels, read 3 4$/m);
  });
  await step('the command neurite', () => checkCommand(sandbox));
  await step('what the import loads', () => checkImport(sandbox));
  for (const resolution of ['NodeNext', 'Bundler']) {
    await step(`types: ${resolution}`, () => checkTypes(sandbox, root, resolution));
  }
  await step(`8 workers at a time, ${values.workers} terminated`, async () => {
    await sandbox.expectOutput(['workers.mjs', values.workers], /^trained .* workers$/m);
  });
  await step('exit, throw, SIGINT and process.exit in callbacks while steps run', () =>
    checkExits(sandbox, Number(values.rounds)),
  );
  await step('each prebuilt binary removed in turn', () => checkMissing(sandbox));
  if (values.build) await step('npx neurite build', () => checkBuild(sandbox));
  await step('uninstall leaves nothing', () => checkUninstall(sandbox));
} finally {
  sandbox.remove();
}
console.log(
  `package: ${passed} passed, ${failures.length} failed${failures.length > 0 ? `: ${failures.join('; ')}` : ''}`,
);
process.exitCode = failures.length > 0 ? 1 : 0;
