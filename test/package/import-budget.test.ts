import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

interface Budget {
  readonly builtins: readonly string[];
  readonly scripts: number;
  readonly bytes: number;
}
interface App {
  expectOutput(args: readonly string[]): Promise<string>;
}
const { checkImport } = (await import(new URL('../../tools/release/import-budget.mjs', import.meta.url).href)) as {
  checkImport(app: App, budget?: Budget): Promise<string>;
};

/** An app with a package called neurite: two scripts, 60 letters. */
let folder = '';
const files = { index: "import './rooms.js';\n".padEnd(40), rooms: "import 'node:os';\n".padEnd(20) };
const put = (file: string, text: string): void => writeFileSync(join(folder, 'node_modules/neurite/dist', file), text);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'neurite-import-'));
  mkdirSync(join(folder, 'node_modules/neurite/dist'), { recursive: true });
  const manifest = { name: 'neurite', type: 'module', exports: './dist/index.js' };
  writeFileSync(join(folder, 'node_modules/neurite/package.json'), JSON.stringify(manifest));
  copyFileSync(fileURLToPath(new URL('consumer/loaded.mjs', import.meta.url)), join(folder, 'loaded.mjs'));
  put('index.js', files.index);
  put('rooms.js', files.rooms);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const app: App = {
  async expectOutput(args) {
    const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
    expect(stderr).toBe('');
    return stdout;
  },
};

it('counts the scripts of the import and their text', async () => {
  expect(await checkImport(app)).toBe('2 scripts, 60 bytes, os');
});

it('refuses a builtin that is not in the budget', async () => {
  put('rooms.js', "import 'node:zlib';\n");
  await expect(checkImport(app)).rejects.toThrow(/^import 'neurite' loads Node's .*\bzlib\b.*\n.*IMPORT_BUDGET/);
  put('rooms.js', files.rooms);
});

it('refuses more scripts or bytes than the budget, and lists them', async () => {
  const loads = "import 'neurite' loads 2 scripts of 60 bytes; the budget is";
  const list = '  40 dist/index.js\n  20 dist/rooms.js';
  await expect(checkImport(app, { builtins: ['os'], scripts: 2, bytes: 59 })).rejects.toThrow(
    `${loads} 2 of 59:\n${list}`,
  );
  await expect(checkImport(app, { builtins: ['os'], scripts: 1, bytes: 60 })).rejects.toThrow(
    `${loads} 1 of 60:\n${list}`,
  );
});
