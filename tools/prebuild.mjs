// Makes the binaries of a release in prebuildify's layout: release/prebuilds/<platform>-<arch>/neurite[.libc].node.
//   node tools/prebuild.mjs [--host | --prebuildify] [--target linux-x64-musl]... [--tests]
// Zig compiles the Linux ones, wherever this runs. --host: only this machine's, with prebuildify and the machine's compiler
// where Zig is absent or the system is macOS or Windows; --prebuildify: so in any case. --tests: the native tests as well.
// They do not go to prebuilds/ itself: there a checkout would load them before what it has just built.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { glibcFloor, readElf } from './release/elf.mjs';
import { isHookOf } from './release/hook.mjs';
import { runPrebuildify } from './release/prebuildify.mjs';
import { BINARY_LIMIT, findZig, GLIBC_FLOOR, TARGETS } from './release/targets.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({
  options: {
    host: { type: 'boolean', default: false },
    prebuildify: { type: 'boolean', default: false },
    tests: { type: 'boolean', default: false },
    target: { type: 'string', multiple: true, default: [] },
  },
});

function fail(message) {
  console.error(`prebuild: ${message}`);
  process.exit(1);
}

// npm runs a script of this name before the script "build", for which nothing here is needed.
if (isHookOf('build')) process.exit(0);

const compiled = new URL('../dist/cli/compile.js', import.meta.url);
if (!existsSync(compiled)) fail('dist is missing; run `npm run build:ts` first');
const { compileAddon, compileObjects, execute, objectPath } = await import(compiled.href);
const { prebuildPath, thisHost } = await import(new URL('../dist/runtime/loader.js', import.meta.url).href);

const host = thisHost();
const hostFile = join('release', prebuildPath(host));
const headers = createRequire(import.meta.url)('node-api-headers').include_dir;
const zig = findZig();

/** Fails unless the binary is what the package promises. */
function check(file, { name, folder }) {
  const { size } = statSync(file);
  if (size > BINARY_LIMIT) fail(`${name} has ${size} bytes, more than ${BINARY_LIMIT}`);
  if (readFileSync(file).readUInt32BE(0) !== 0x7f454c46) return console.log(`${name}: ${size} bytes`);
  const elf = readElf(file);
  const floor = glibcFloor(elf.versions);
  const arch = folder.split('-')[1];
  if (elf.machine !== arch) fail(`${name} is for ${elf.machine}, not ${arch}`);
  if (!elf.stripped) fail(`${name} is not stripped`);
  if (elf.needed.some((library) => /stdc\+\+|libgcc|libc\+\+/.test(library))) fail(`${name} needs ${elf.needed}`);
  const entries = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
  if (elf.exported.some((symbol) => !entries.includes(symbol))) fail(`${name} shows ${elf.exported}`);
  if (zig && !values.prebuildify && floor.localeCompare(GLIBC_FLOOR, 'en', { numeric: true }) > 0)
    fail(`${name} needs glibc ${floor}`);
  console.log(
    `${name}: ${size} bytes, needs ${elf.needed.join(' ')}, glibc ${floor || 'none'} (${elf.versions.join(' ')})`,
  );
}

/** Links the native tests with the objects that the addon was made of. */
async function nativeTests(toolchain, folder) {
  const sources = readdirSync(join(root, 'test/native')).filter((f) => f.endsWith('.cc'));
  const { core } = JSON.parse(readFileSync(join(root, 'native/sources.json'), 'utf8'));
  const tests = sources.map((f) => `test/native/${f}`);
  const objects = await compileObjects(root, toolchain, tests, [join(root, 'native')], folder);
  objects.push(...core.map((source) => objectPath(folder, source)));
  const command = [...toolchain.command, '-pthread', '-o', join(folder, 'neurite_native_tests'), ...objects];
  const { code, output } = await execute(command, { cwd: root });
  if (code !== 0) fail(`the native tests do not link:\n${output}`);
}

async function make(target, toolchain) {
  const file = join(root, 'release', 'prebuilds', target.folder, target.file);
  const folder = join(root, 'build', 'prebuild', target.name);
  await compileAddon(root, toolchain, headers, folder, file).catch((error) => fail(error.message));
  check(file, target);
  if (values.tests) await nativeTests(toolchain, folder);
}

const name = `${host.platform}-${host.arch}${host.libc ? `-${host.libc}` : ''}`;
const known = TARGETS.find((t) => t.name === name);
if (values.prebuildify || (values.host && !(known && zig))) {
  // Without Zig the glibc floor is that of this machine: fine for tests, not for a release.
  if (!runPrebuildify(root))
    fail('prebuildify failed; it needs a C++20 compiler, Python 3 and make (Windows: Visual Studio)');
  check(join(root, hostFile), { name, folder: `${host.platform}-${host.arch}` });
} else {
  if (!zig)
    fail(
      'needs Zig as the cross compiler: `pip install ziglang` (in a virtual environment), or set ZIG to its command',
    );
  const names = values.host ? [name] : values.target;
  for (const wanted of names) {
    if (!TARGETS.some((t) => t.name === wanted))
      fail(`no target '${wanted}'; there are ${TARGETS.map((t) => t.name).join(', ')}`);
  }
  for (const target of TARGETS.filter((t) => names.length === 0 || names.includes(t.name))) {
    await make(target, { command: [...zig, 'c++', '-target', target.triple], platform: 'linux' });
  }
}
