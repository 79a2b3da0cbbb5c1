// docs/api-report.md: every public signature of every entry point in one file, so that a change of the API is seen in review.
//   node tools/api-report.mjs            rewrites it
//   node tools/api-report.mjs --check    fails when it differs from the sources
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));
const report = join(root, 'docs', 'api-report.md');
const UPDATE = 'npm run api:report';

const posix = (path) => path.split(sep).join('/');

/** The entry points of package.json with their declaration files, in its order. */
function entryPoints() {
  const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return Object.entries(exports)
    .filter(([, target]) => target.types !== undefined)
    .map(([path, { types }]) => ({ name: name + path.slice(1), file: join(root, types) }));
}

/** The declarations tsc would write, in memory: the report needs no build and cannot be of an old one. */
function declarations() {
  const config = join(root, 'tsconfig.json');
  const { options, fileNames } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(config, ts.sys.readFile).config,
    ts.sys,
    root,
  );
  Object.assign(options, { emitDeclarationOnly: true, removeComments: true, sourceMap: false });
  const files = new Map();
  const program = ts.createProgram(fileNames, options);
  const { diagnostics } = program.emit(undefined, (path, text) => files.set(posix(path), text));
  if (diagnostics.length > 0) {
    fail(ts.flattenDiagnosticMessageText(diagnostics[0].messageText, '\n'));
  }
  return { files, options };
}

function fail(message) {
  console.error(`api-report: ${message}`);
  process.exit(1);
}

/** A program of the declarations alone. */
function programOf({ files, options }, roots) {
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = (path) => files.get(posix(path)) ?? readFile(path);
  host.directoryExists = undefined; // folders need not exist yet
  host.fileExists = (path) => files.has(posix(path)) || fileExists(path);
  host.getSourceFile = (path, version, ...rest) => {
    const text = files.get(posix(path));
    return text === undefined ? getSourceFile(path, version, ...rest) : ts.createSourceFile(path, text, version, true);
  };
  return ts.createProgram(roots, { ...options, noEmit: true, emitDeclarationOnly: false, declaration: false }, host);
}

const emitted = declarations();
const entries = entryPoints();
for (const { name, file } of entries) {
  if (!emitted.files.has(posix(file))) fail(`entry point ${name}: no source makes ${relative(root, file)}`);
}
const files = new Set(emitted.files.keys());
const program = programOf(emitted, [...files]);
const checker = program.getTypeChecker();
const printer = ts.createPrinter({ removeComments: true, newLine: ts.NewLineKind.LineFeed });

const resolved = (symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
const isOurs = (node) => files.has(posix(node.getSourceFile().fileName));
const byName = ([a], [b]) => (a < b ? -1 : a > b ? 1 : 0);

/** The statement without what a user cannot reach. */
function visible(node) {
  const statement = ts.isVariableDeclaration(node) ? node.parent.parent : node;
  if (!ts.isClassDeclaration(statement)) return statement;
  const members = statement.members.filter(
    (m) => !(m.name && ts.isPrivateIdentifier(m.name)) && !(ts.getCombinedModifierFlags(m) & ts.ModifierFlags.Private),
  );
  const { modifiers, name, typeParameters, heritageClauses } = statement;
  return ts.factory.updateClassDeclaration(statement, modifiers, name, typeParameters, heritageClauses, members);
}

/** Types that signatures name without exporting them. */
const hidden = new Map();
const exported = new Map();

function noteReferences(node) {
  if (ts.isIdentifier(node)) {
    const symbol = checker.getSymbolAtLocation(node);
    if (symbol !== undefined) noteDeclared(resolved(symbol));
  }
  ts.forEachChild(node, noteReferences);
}

function noteDeclared(symbol) {
  const wanted = ts.SymbolFlags.Type | ts.SymbolFlags.Variable; // a variable by `typeof`
  if (!(symbol.flags & wanted) || exported.has(symbol) || hidden.has(symbol)) return;
  const [declaration] = symbol.declarations ?? [];
  if (declaration === undefined || !isOurs(declaration)) return;
  const { parent } = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration;
  if (!ts.isSourceFile(parent) && !ts.isModuleBlock(parent)) return; // a type parameter, a member, an argument
  hidden.set(symbol, '');
  hidden.set(symbol, textOf(symbol));
}

function textOf(symbol) {
  const texts = symbol.declarations.filter(isOurs).map((declaration) => {
    const node = visible(declaration);
    noteReferences(node);
    const text = printer.printNode(ts.EmitHint.Unspecified, node, declaration.getSourceFile());
    return text
      .replace(/^export /, '')
      .replace(/^declare /, '')
      .replace(/ {4}/g, '  ');
  });
  return texts.join('\n');
}

/** All exports of a module by path: `nn.Linear`; namespaces come after the module that has them. */
function sections(module, path) {
  const names = checker.getExportsOfModule(module).map((symbol) => [symbol.name, resolved(symbol)]);
  names.sort(byName);
  const own = names.filter(([, symbol]) => !(symbol.flags & ts.SymbolFlags.ValueModule));
  const inner = names.filter(([, symbol]) => symbol.flags & ts.SymbolFlags.ValueModule);
  return [{ path, own }, ...inner.flatMap(([name, symbol]) => sections(symbol, `${path} › ${name}`))];
}

const all = entries.flatMap(({ name, file }) =>
  sections(checker.getSymbolAtLocation(program.getSourceFile(file)), `${name}`),
);
for (const { path, own } of all) {
  for (const [name, symbol] of own) if (!exported.has(symbol)) exported.set(symbol, `${path} › ${name}`);
}

const lines = [
  '# API report',
  '',
  `Every public signature, from the sources. Do not edit: \`${UPDATE}\` rewrites it, \`npm run lint\` compares it.`,
  'A change here is a change of the public API: it belongs in the changelog.',
];
for (const { path, own } of all) {
  lines.push('', `## ${path}`, '', '```ts');
  for (const [name, symbol] of own) {
    const first = exported.get(symbol);
    if (first !== `${path} › ${name}`) lines.push(`// ${name}: the same as ${first}`);
    else lines.push(symbol.name === name ? textOf(symbol) : `// exported as ${name}\n${textOf(symbol)}`);
  }
  lines.push('```');
}
const rest = [...hidden]
  .map(([symbol, text]) => [symbol.name, text])
  .sort((a, b) => byName(a, b) || byName([a[1]], [b[1]]));
lines.push(
  '',
  '## Named by the signatures above, not exported',
  '',
  '```ts',
  ...rest.map(([, text]) => text),
  '```',
  '',
);
const text = lines.join('\n');

if (!process.argv.includes('--check')) {
  writeFileSync(report, text);
} else if (!existsSync(report) || readFileSync(report, 'utf8') !== text) {
  const committed = existsSync(report) ? readFileSync(report, 'utf8').split('\n') : [];
  const at = text.split('\n').findIndex((line, i) => line !== committed[i]);
  console.error(`docs/api-report.md differs from the sources from line ${at + 1} on:`);
  console.error(`  report:  ${committed[at] ?? '(the end)'}\n  sources: ${text.split('\n')[at]}`);
  fail(`the public API changed. If that is meant, run \`${UPDATE}\`, review the difference and commit it`);
}
