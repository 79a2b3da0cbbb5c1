// Joins what tsc made into few files: reading, resolving and compiling 180 small modules takes longer than running them.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { rolldown } from 'rolldown';
import { parseAst } from 'rolldown/parseAst';

const OWN_URL = 'import.meta.url';

/**
 * What is shared lies in few files, because each file costs the import half a millisecond and more: helpers that need no addon
 * (the command has them too), what the package's own threads need (each of them reads all that its files hold), the engine, and
 * all rooms that are written with it.
 */
const ENGINE = /^(core\.js$|(graph|ops|autodiff|program|runtime|engine)\/)/;
const GROUPS = [
  ['base', (file) => /^[^/]+\.js$/.test(file) && !['index.js', 'core.js'].includes(file)],
  ['threads', (file, threads) => threads.has(file)],
  ['engine', (file) => ENGINE.test(file)],
  ['rooms', (file) => file.includes('/') && !/^(cli|datasets|kernels)\//.test(file)],
];

const posix = (path) => path.split(sep).join('/');

/** Every .js file below a folder, relative to it, with '/'. */
function scripts(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.js'))
    .map((entry) => posix(relative(folder, join(entry.parentPath ?? entry.path, entry.name))));
}

/** Files named by the manifest's exports and commands, relative to dist. */
function manifestEntries({ exports, bin }) {
  const files = [...Object.values(exports).map((e) => e.default), ...Object.values(bin)];
  return files.filter((file) => file?.startsWith('./dist/')).map((file) => file.slice('./dist/'.length));
}

/** Where a module says import.meta.url in code (not in text), and the files it names by `new URL('./x.js', import.meta.url)`. */
function urlsIn(code) {
  const places = [];
  const named = [];
  const isOwnUrl = (node) => node?.type === 'MemberExpression' && code.slice(node.start, node.end) === OWN_URL;
  const visit = (node) => {
    if (isOwnUrl(node)) places.push(node);
    if (node.type === 'NewExpression' && node.callee.name === 'URL' && isOwnUrl(node.arguments[1])) {
      const [{ value }] = node.arguments;
      if (typeof value === 'string' && value.endsWith('.js')) named.push(value);
    }
    for (const child of Object.values(node)) {
      for (const one of Array.isArray(child) ? child : [child]) if (typeof one?.type === 'string') visit(one);
    }
  };
  if (code.includes(OWN_URL)) visit(parseAst(code));
  return { places, named };
}

/** All that a program of its own imports, itself not included; nothing when that includes the engine, for which it waits anyway. */
function neededBy(program, texts) {
  const found = new Set([program]);
  for (const file of found) {
    for (const { source } of parseAst(texts.get(file) ?? '').body) {
      if (source?.value.startsWith('.')) found.add(posix(join(dirname(file), source.value)));
    }
  }
  found.delete(program);
  return [...found].some((file) => ENGINE.test(file)) ? [] : [...found];
}

/** A module goes on seeing the URL that it had in dist, whichever chunk it is in, and runs as it does unbundled. */
function keepModules(dist) {
  return {
    name: 'keep-modules',
    transform(code, id) {
      let text = code;
      // From the end, so that the places before stay right.
      for (const { start, end } of urlsIn(code).places.reverse()) {
        text = `${text.slice(0, start)}__urlOf("${posix(relative(dist, id))}")${text.slice(end)}`;
      }
      // Whatever a manifest's sideEffects may say.
      return { code: text, moduleSideEffects: true };
    },
    renderChunk(code, { fileName }) {
      return code.replace(/__urlOf\("([^"]*)"\)/g, (_, file) => {
        if (file === fileName) return OWN_URL;
        const path = posix(relative(dirname(fileName), file));
        // A user's bundle in CommonJS form has no import.meta.url.
        return `(${OWN_URL} && new URL("${path.startsWith('.') ? path : `./${path}`}", ${OWN_URL}).href)`;
      });
    },
  };
}

/**
 * Writes the bundled JavaScript of `dist` to `out`: one file for each entry of the manifest, what they share in chunks/.
 * A file that a module names by its URL, such as a worker's, is an entry too. Names and lines stay, so that a stack trace can be
 * read; comments go, the declarations have them.
 *
 * @param {string} dist
 * @param {string} out
 * @param {object} manifest package.json
 * @returns {Promise<{file: string, bytes: number}[]>} the files written
 */
export async function bundle(dist, out, manifest) {
  const texts = new Map(scripts(dist).map((file) => [file, readFileSync(join(dist, file), 'utf8')]));
  const entries = new Set(manifestEntries(manifest));
  const programs = new Set();
  for (const [file, text] of texts) {
    for (const path of urlsIn(text).named) {
      const target = posix(relative(dist, resolve(dist, dirname(file), path)));
      if (!texts.has(target)) throw new Error(`${file}: new URL('${path}', import.meta.url) names no file of dist`);
      programs.add(target);
    }
  }
  const threads = new Set([...programs].flatMap((program) => neededBy(program, texts)));
  for (const program of programs) entries.add(program);
  for (const entry of entries) {
    if (!texts.has(entry)) throw new Error(`package.json names dist/${entry}, which is not there`);
  }

  const build = await rolldown({
    input: Object.fromEntries([...entries].map((file) => [file.replace(/\.js$/, ''), join(dist, file)])),
    platform: 'node',
    external: (id) => !id.startsWith('.') && !isAbsolute(id),
    plugins: [keepModules(dist)],
    onLog: (level, log) => {
      if (level === 'warn') throw new Error(`bundling: ${log.message}`);
    },
  });
  const { output } = await build.write({
    dir: out,
    format: 'esm',
    comments: false,
    // A class renamed because another module has one of that name still says its own.
    keepNames: true,
    // ASCII, because V8 keeps and scans such text with one byte for each character.
    minify: { mangle: false, compress: false, codegen: { removeWhitespace: false, asciiOnly: true } },
    entryFileNames: '[name].js',
    chunkFileNames: 'chunks/[name]-[hash].js',
    codeSplitting: {
      groups: GROUPS.map(([name, test], i) => ({
        name,
        priority: GROUPS.length - i,
        test: (id) => !programs.has(posix(relative(dist, id))) && test(posix(relative(dist, id)), threads),
      })),
    },
  });
  await build.close();

  return output.map(({ fileName, code }) => ({ file: fileName, bytes: Buffer.byteLength(code) }));
}
