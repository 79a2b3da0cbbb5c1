// docs/api: the reference as HTML, from the sources' comments, one module for each entry point of package.json.
// Warnings (links that lead nowhere, signatures that name what is not exported) count as errors.
//   node tools/docs-api.mjs [--check]    --check writes nothing
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Application, LogLevel } from 'typedoc';

const root = fileURLToPath(new URL('..', import.meta.url));
const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const entryPoints = Object.values(exports)
  .filter(({ types }) => types !== undefined)
  .map(({ types }) => join(root, types.replace('./dist/', 'src/').replace(/\.d\.ts$/, '.ts')));

const application = await Application.bootstrap({
  entryPoints,
  tsconfig: join(root, 'tsconfig.json'),
  name: 'Neurite',
  readme: join(root, 'README.md'),
  out: join(root, 'docs', 'api'),
  disableGit: true,
  disableSources: true, // there is no place to link to before the repository has one
  excludePrivate: true,
  excludeInternal: true,
  sort: ['source-order'],
  logLevel: LogLevel.Warn,
  validation: { notExported: false, invalidLink: true, invalidPath: false, notDocumented: false },
});
const project = await application.convert();
if (project === undefined) process.exit(1);
application.validate(project);
if (!process.argv.includes('--check')) await application.generateOutputs(project);
const { errorCount, warningCount } = application.logger;
console.log(`API reference: ${errorCount} errors, ${warningCount} warnings`);
process.exit(errorCount + warningCount === 0 ? 0 : 1);
