// What an installed package must do. Each check throws an Error that says what it saw.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prebuildPath, thisHost } from '../../dist/runtime/loader.js';

const TRAINED = /^trained \S/m;

export async function checkModules(sandbox, file) {
  await sandbox.expectOutput([file], TRAINED);
}

/** The compiler is the checkout's; the app has only the package's own declarations and Node's. */
export function checkTypes(sandbox, root, resolution) {
  const config = {
    compilerOptions: {
      module: resolution === 'NodeNext' ? 'NodeNext' : 'ESNext',
      moduleResolution: resolution,
      target: 'ES2022',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      // The package's declarations are checked too, not only used.
      skipLibCheck: false,
      noEmit: true,
      types: ['node'],
      typeRoots: [join(root, 'node_modules/@types')],
    },
    files: ['typed.ts'],
  };
  writeFileSync(join(sandbox.app, 'tsconfig.json'), JSON.stringify(config));
  // NodeNext reads a .ts file as CommonJS here: it proves that `require` of the package type-checks as well.
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', sandbox.app],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(`tsc reported:\n${stdout}`);
}

export async function checkExits(sandbox, rounds) {
  const cases = [
    ['exit', { code: 7 }],
    ['throw', { code: 1 }],
    ['exit-in-callback', { code: 7 }],
    ['exit-in-timer', { code: 7 }],
    ['signal', { signal: 'SIGINT' }],
  ];
  for (const [how, expected] of cases) {
    for (let i = 0; i < rounds; i++) {
      const result = await sandbox.node(['exit.mjs', how], how === 'signal' ? { signalOn: 'running' } : {});
      const { code, signal } = { code: null, signal: null, ...expected };
      if (result.code !== code || result.signal !== signal) {
        throw new Error(`${how}: expected ${code ?? signal}, got ${result.code ?? result.signal}:\n${result.output}`);
      }
    }
  }
}

function prebuilts(sandbox) {
  const folder = join(sandbox.package, 'prebuilds');
  return readdirSync(folder).flatMap((platform) =>
    readdirSync(join(folder, platform)).map((f) => join('prebuilds', platform, f)),
  );
}

/** Without its own binary the error helps; without another platform's nothing changes. */
export async function checkMissing(sandbox) {
  const own = prebuildPath(thisHost());
  const all = prebuilts(sandbox);
  if (!all.includes(own)) throw new Error(`the package has no ${own}: ${all.join(', ')}`);
  for (const path of all) {
    const file = join(sandbox.package, path);
    renameSync(file, `${file}.away`);
    try {
      if (path !== own) {
        await sandbox.expectOutput(['esm.mjs'], TRAINED);
        continue;
      }
      for (const script of ['esm.mjs', 'cjs.cjs']) {
        const { code, output } = await sandbox.node([script]);
        const wanted = [path, 'not there', 'npm install neurite --force', 'npx neurite build', 'ERR_DEVICE'];
        const absent = wanted.filter((text) => !output.includes(text));
        if (code !== 1 || absent.length > 0)
          throw new Error(`${script} ended with ${code}, without ${absent}:\n${output}`);
      }
      // A file that is there but no binary, as after an interrupted copy.
      writeFileSync(file, 'not a library');
      const { output } = await sandbox.node(['esm.mjs']);
      if (!output.includes('npx neurite build')) throw new Error(`a broken binary gave:\n${output}`);
    } finally {
      renameSync(`${file}.away`, file);
    }
    await sandbox.expectOutput(['esm.mjs'], TRAINED, { env: { NEURITE_BINARY: file } });
    const { output } = await sandbox.node(['esm.mjs'], { env: { NEURITE_BINARY: 'nowhere.node' } });
    if (!output.includes('unset it')) throw new Error(`a wrong NEURITE_BINARY gave:\n${output}`);
  }
}

/** Without a compiler the command says which to install; with one it makes an addon that is used. */
export async function checkBuild(sandbox) {
  const cli = join('node_modules', 'neurite', 'dist', 'cli', 'main.js');
  const without = await sandbox.node([cli, 'build']);
  if (without.code !== 1 || !without.output.includes('no C++ compiler'))
    throw new Error(`without a compiler:\n${without.output}`);
  if (process.platform === 'win32') return;
  const own = join(sandbox.package, prebuildPath(thisHost()));
  renameSync(own, `${own}.away`);
  try {
    const { PATH } = process.env;
    sandbox.npm(['exec', '--offline', '--', 'neurite', 'build'], { PATH });
    if (!existsSync(join(sandbox.package, 'build/Release/neurite.node'))) throw new Error('the command made no addon');
    await sandbox.expectOutput(['esm.mjs'], TRAINED);
  } finally {
    renameSync(`${own}.away`, own);
  }
}

/** The command, by the link that npm made (on Windows that is a script, so the file itself). */
export async function checkCommand(sandbox) {
  const windows = process.platform === 'win32';
  const command = windows ? join(sandbox.package, 'dist/cli/main.js') : join('node_modules', '.bin', 'neurite');
  const { path } = JSON.parse(await sandbox.expectOutput([command, 'info', '--json'], /"native":\{/)).native;
  const own = join('node_modules', 'neurite', prebuildPath(thisHost()));
  if (!path.endsWith(own)) throw new Error(`neurite info: loaded ${path}, expected ${own}`);
  await sandbox.expectOutput([command, 'bench', '--seconds', '0.001'], /training step/);
}

export function checkUninstall(sandbox) {
  sandbox.npm(['uninstall', '--offline', '--no-audit', '--no-fund', 'neurite']);
  const left = sandbox.added().filter((file) => !['package-lock.json', 'tsconfig.json'].includes(file));
  const harmless = left.filter((file) => !/^node_modules[\\/]\.package-lock\.json$/.test(file));
  if (harmless.length > 0) throw new Error(`left behind: ${harmless.join(', ')}`);
}
