// Fails when a file imports what its layer may not: the table of DESIGN "Who may import whom", for TypeScript and C++.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const problems = [];

function* files(directory, pattern) {
  if (!existsSync(directory)) return;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* files(path, pattern);
    else if (pattern.test(entry.name)) yield path;
  }
}

const posix = (path) => path.split(sep).join('/');
const report = (file, target, why) => problems.push(`${posix(relative(root, file))} -> ${target}: ${why}`);

// --- TypeScript -------------------------------------------------------------------------------------------------------
const CORE = ['graph', 'ops', 'autodiff', 'program', 'runtime', 'engine', 'inspect', 'kernels'];
const PURE = new Set([
  'errors.ts',
  'dtype.ts',
  'shape.ts',
  'tree.ts',
  'options.ts',
  'json.ts',
  'philox.ts',
  'macrotask.ts',
  'window.ts',
]);
// What users see: all of it, and the part that the rooms beside the core are written with.
const PUBLIC = new Set(['index.ts', 'core.ts']);
// Who may name the addon's file: its loader, and the command that compiles it.
const ADDON = new Set(['runtime/loader.ts', 'cli/build.ts']);
// What Node has loaded anyway by the time that it runs a module, and who may import the others: programs of their own, whose
// text importing the package does not run.
const LOADED = new Set(['node:fs/promises', 'node:module', 'node:os', 'node:path', 'node:url']);
const PROGRAM = /^(cli\/|augment\/worker\.ts$)/;
const src = join(root, 'src');

function checkTypeScript(file) {
  const inside = posix(relative(src, file));
  const text = readFileSync(file, 'utf8');
  if (!ADDON.has(inside) && /\.node['"`]|process\.dlopen/.test(text)) {
    report(file, '.node', 'only src/runtime/loader.ts loads the addon');
  }
  for (const [, builtin] of text.matchAll(/^import\s(?!type\s)[^'"`;]*?['"](node:[^'"]+)['"]/gm)) {
    if (PROGRAM.test(inside) || LOADED.has(builtin)) continue;
    report(
      file,
      builtin,
      `process.getBuiltinModule('${builtin}') where it is used: every import of the package would load it`,
    );
  }
  const imports = text.matchAll(
    /(?:^|[\s;])(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/g,
  );
  const sideEffects = text.matchAll(/^import\s+['"]([^'"]+)['"]/gm);
  for (const [, ...specifiers] of [...imports, ...sideEffects]) {
    const specifier = specifiers.find((s) => s !== undefined);
    if (!specifier.startsWith('.')) continue;
    const target = posix(relative(src, normalize(join(dirname(file), specifier)))).replace(/\.js$/, '.ts');
    const reason = whyNot(inside, target);
    if (reason !== null) report(file, specifier, reason);
  }
}

/** Why the file may not import the other (both relative to src), or null. */
function whyNot(from, to) {
  if (to.startsWith('..')) return 'outside src';
  if (PURE.has(to)) return null;
  if (PUBLIC.has(from)) return null;
  if (PURE.has(from)) return 'pure helpers import only each other';
  const room = from.split('/')[0];
  const other = to.split('/')[0];
  const layer = CORE.indexOf(room);
  if (layer >= 0) {
    const target = CORE.indexOf(other);
    return target >= 0 && target <= layer ? null : `${room} may import only ${CORE.slice(0, layer + 1).join(', ')}`;
  }
  if (other === room || PUBLIC.has(to)) return null;
  // Another room's public face is its index.
  if (!CORE.includes(other) && to === `${other}/index.ts`) return null;
  return 'rooms outside the core use public exports: src/core.ts, src/index.ts or the index.ts of another room';
}

for (const file of files(src, /\.ts$/)) checkTypeScript(file);

// --- C++ --------------------------------------------------------------------------------------------------------------
const NATIVE = ['base', 'simd', 'kernels', 'program', 'binding'];
const native = join(root, 'native');
// Two plain lists that kernels and program share: the dtypes and codes, and the kernel names.
const SHARED = new Set(['program/opcodes.inc']);

function checkCpp(file) {
  const inside = posix(relative(native, file));
  const layer = NATIVE.indexOf(inside.split('/')[0]);
  for (const [, open, name] of readFileSync(file, 'utf8').matchAll(/^\s*#\s*include\s*([<"])([^>"]+)[>"]/gm)) {
    if (/^(napi\.h|node_api\.h|js_native_api.*|v8\.h|uv\.h|node\.h)$/.test(name)) {
      if (inside.split('/')[0] !== 'binding') report(file, name, 'only native/binding speaks to Node');
      continue;
    }
    if (open === '<') continue;
    const target = posix(relative(native, normalize(join(dirname(file), name))));
    const other = NATIVE.indexOf(target.split('/')[0]);
    if (other < 0) report(file, name, 'not a native layer');
    else if (other > layer && !SHARED.has(target)) {
      report(file, name, `${NATIVE[layer]} may include only ${NATIVE.slice(0, layer + 1).join(', ')}`);
    }
  }
}

for (const file of files(native, /\.(cc|h|inc)$/)) checkCpp(file);
const listed = new Set(Object.values(JSON.parse(readFileSync(join(native, 'sources.json'), 'utf8'))).flat());
for (const file of files(native, /\.cc$/)) {
  const path = posix(relative(root, file));
  if (!listed.delete(path)) problems.push(`${path}: missing from native/sources.json`);
}
for (const path of listed) problems.push(`native/sources.json lists ${path}, which does not exist`);

if (problems.length > 0) {
  console.error(problems.join('\n'));
  console.error(`check-imports: ${problems.length} problem(s)`);
  process.exit(1);
}
