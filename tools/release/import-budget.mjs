// What importing the installed package loads. Counted, not timed: a busy machine changes nothing.
import { IMPORT_BUDGET } from './targets.mjs';

/**
 * Node's builtins and the package's scripts that `import 'neurite'` loads beyond what an empty program does.
 *
 * @param {{expectOutput(args: string[], pattern: RegExp): Promise<string>}} sandbox an app that has the package, and loaded.mjs of
 *   test/package/consumer
 * @returns {Promise<{builtins: string[], scripts: {url: string, length: number}[]}>}
 */
export async function importLoads(sandbox) {
  const ask = async (what) => JSON.parse(await sandbox.expectOutput(['loaded.mjs', what], /^\[.*\]$/m));
  return { builtins: await ask('builtins'), scripts: await ask('scripts') };
}

/** Fails when the import loads more than the budget allows; returns what it loads, in words. */
export async function checkImport(sandbox, budget = IMPORT_BUDGET) {
  const { builtins, scripts } = await importLoads(sandbox);
  const bytes = scripts.reduce((sum, { length }) => sum + length, 0);
  const problems = [];
  const more = builtins.filter((name) => !budget.builtins.includes(name));
  if (more.length > 0) {
    problems.push(
      `Node's ${more.join(', ')}; the budget has ${budget.builtins.join(', ')}. Ask for a builtin where it is used: process.getBuiltinModule('node:${more[0]}')`,
    );
  }
  if (scripts.length > budget.scripts || bytes > budget.bytes) {
    const list = scripts.map(({ url, length }) => `  ${length} ${url.slice(url.lastIndexOf('/dist/') + 1)}`).join('\n');
    problems.push(
      `${scripts.length} scripts of ${bytes} bytes; the budget is ${budget.scripts} of ${budget.bytes}:\n${list}`,
    );
  }
  if (problems.length > 0) {
    const where = 'IMPORT_BUDGET in tools/release/targets.mjs; HACKING.md, "What the import costs"';
    throw new Error(`import 'neurite' loads ${problems.join('\nand ')}\n(${where})`);
  }
  return `${scripts.length} scripts, ${bytes} bytes, ${builtins.join(' ')}`;
}
