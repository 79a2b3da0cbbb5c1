import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * Runs every code block of README.md and docs/guide whose info string ends in "runnable", as a program of its own, and
 * compares each `console.log(...); // text` with what is printed, in order; "…" in the text stands for anything.
 */
const ROOT = new URL('../', import.meta.url);
const FILES = [
  'README.md',
  ...readdirSync(new URL('docs/guide', ROOT))
    .filter((f) => f.endsWith('.md') && f !== 'cli.md') // of commands: test/process/cli.test.ts runs them
    .map((f) => `docs/guide/${f}`),
];

const MODULES: Record<string, () => Promise<unknown>> = {
  neurite: () => import('../src/index.js'),
  'neurite/datasets': () => import('../src/datasets/index.js'),
  'neurite/kernels': () => import('../src/kernels/index.js'),
  'neurite/plot': () => import('../src/plot/index.js'),
};

interface Block {
  readonly line: number;
  readonly code: string;
}

function runnableBlocks(file: string): Block[] {
  const text = readFileSync(new URL(file, ROOT), 'utf8');
  return [...text.matchAll(/^```(?:js|ts) runnable\n([\s\S]*?)^```$/gm)].map((m) => ({
    line: text.slice(0, m.index).split('\n').length,
    code: m[1],
  }));
}

/** `import` statements become awaited calls of `load`, so that a block can run as the body of a function. */
function asFunctionBody(code: string): string {
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  const js = ts.transpileModule(code, { compilerOptions: options, reportDiagnostics: true });
  expect(js.diagnostics?.map((d) => ts.flattenDiagnosticMessageText(d.messageText, '\n')) ?? []).toEqual([]);
  return js.outputText
    .replace(/^import \* as (\w+) from '([^']+)';/gm, "const $1 = await load('$2');")
    .replace(
      /^import \{([^}]*)\} from '([^']+)';/gm,
      (_, names: string, from: string) =>
        `const {${names.replace(/(\w+) as (\w+)/g, '$1: $2')}} = await load('${from}');`,
    );
}

function expectedOutput(code: string): string[] {
  return [...code.matchAll(/^\s*console\.log\(.*\);\s*\/\/ (.*)$/gm)].map((m) => m[1].trim());
}

function matches(printed: string, expected: string): boolean {
  const pattern = expected.split('…').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${pattern.join('[\\s\\S]*')}$`).test(printed);
}

const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>;

async function run(code: string): Promise<{ printed: string[]; checked: string[] }> {
  const printed: string[] = [];
  const checked: string[] = [];
  const logger = {
    ...console,
    log: (...args: unknown[]) => void printed.push(format(...args)),
  };
  const load = (name: string) => (name in MODULES ? MODULES[name]() : import(name));
  await new AsyncFunction('load', 'console', asFunctionBody(code))(load, logger);
  const expected = expectedOutput(code);
  let at = 0;
  for (const line of printed) {
    if (at < expected.length && matches(line, expected[at])) checked.push(expected[at++]);
  }
  return { printed, checked };
}

const home = process.cwd();
let scratch = '';
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'neurite-docs-')); // blocks may save files
  process.chdir(scratch);
});
afterAll(() => {
  process.chdir(home);
  rmSync(scratch, { recursive: true, force: true });
});

for (const file of FILES) {
  describe(file, () => {
    const blocks = runnableBlocks(file);
    it('has runnable blocks', () => expect(blocks.length).toBeGreaterThan(0));
    it.each(blocks.map((b) => [b.line, b.code] as const))(
      'line %i runs and prints what it says',
      async (_, code) => {
        const { printed, checked } = await run(code);
        expect(checked, `printed:\n${printed.join('\n')}`).toEqual(expectedOutput(code));
      },
      120_000,
    );
  });
}

describe('the check itself', () => {
  it('sees a wrong comment', async () => {
    const { checked } = await run('const a: number = 1;\nconsole.log(a + 1); // 3\n');
    expect(checked).toEqual([]);
  });
  it('sees an error', async () => {
    await expect(run("import { tensor } from 'neurite';\ntensor([[1], [2, 3]]);\n")).rejects.toThrow(
      /ragged|shape|rows/i,
    );
  });
});
