// docs/coverage.md: what a course asks for beside where it is defined, proven and shown.
//   node tools/coverage.mjs            writes the page
//   node tools/coverage.mjs --check    fails when the page is not what would be written
// Both fail when a name is not exported, has no docstring, or is not in the files its row promises.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FIGURES, SECTIONS } from './coverage-rows.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const page = join(root, 'docs', 'coverage.md');
const problems = [];

const files = ['src', 'test', 'docs/guide'].flatMap((directory) =>
  readdirSync(join(root, directory), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      relative(root, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join('/'),
    ),
);
const texts = new Map();
function read(file) {
  if (!texts.has(file)) texts.set(file, readFileSync(join(root, file), 'utf8'));
  return texts.get(file);
}

/** Files of a pattern; `*` stands for anything but a slash. */
function matching(pattern) {
  const shape = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '[^/]*')}$`);
  return files.filter((file) => shape.test(file));
}

// A layer is found by its function too: SiLU where it says silu.
const word = (name) => new RegExp(`(?<![A-Za-z0-9])${name}(?![A-Za-z0-9])`, 'i');

// Names all layers, to save and load them: no proof of anything else.
const NO_PROOF = 'test/nn/config.test.ts';

/** The first file of the patterns that has the name. */
function find(patterns, name) {
  const wanted = word(name);
  return patterns.flatMap(matching).find((file) => file !== NO_PROOF && wanted.test(read(file)));
}

const api = readFileSync(join(root, 'docs', 'api-report.md'), 'utf8');
const sources = files.filter((file) => file.startsWith('src/') && file.endsWith('.ts'));

/** Whether the declaration of an export has a docstring: of an overloaded function its first signature. */
function isDocumented(name) {
  const declaration = new RegExp(
    `\\*/\\s*\\n(?://.*\\n)*export (?:abstract |async )*(?:function|class|const|interface|type) ${name}\\b`,
  );
  return sources.some((file) => declaration.test(read(file)));
}

function isExported(name) {
  return new RegExp(`(?:function|class|const|interface|type|export \\{[^}]*\\b) ?${name}\\b`).test(api);
}

const link = (file) => `[${file.split('/').at(-1)}](${file.startsWith('docs/') ? file.slice(5) : `../${file}`})`;
const unique = (list) => [...new Set(list)].filter((item) => item !== undefined);

function lines({ title, rows, ...defaults }) {
  const out = [`## ${title}`, '', '| what | names | values | gradient | guide |', '| --- | --- | --- | --- | --- |'];
  for (const [what, names, own = {}] of rows) {
    const { golden, gradient, guide } = { ...defaults, ...own };
    const found = { golden: [], gradient: [], guide: [] };
    for (const name of names.split(' ')) {
      const fail = (why) => problems.push(`${title} > ${what}: ${name} ${why}`);
      if (!isExported(name)) fail('is not exported');
      else if (!isDocumented(name)) fail('has no docstring');
      const look = (kind, patterns) => {
        const file = find(patterns, name);
        if (file === undefined) fail(`is in none of ${patterns.join(', ')} (${kind})`);
        found[kind].push(file);
      };
      look('golden', golden);
      if (Array.isArray(gradient)) look('gradient', gradient);
      look(
        'guide',
        guide.map((g) => `docs/guide/${g}.md`),
      );
    }
    const [values, slopes, guides] = Object.values(found).map((list) => unique(list).map(link).join(', '));
    const cell = names
      .split(' ')
      .map((name) => `\`${name}\``)
      .join(' ');
    out.push(`| ${what} | ${cell} | ${values} | ${Array.isArray(gradient) ? slopes : gradient.none} | ${guides} |`);
  }
  return [...out, ''];
}

function figures() {
  const out = ['## Worked figures', '', '| what it shows | figure | test |', '| --- | --- | --- |'];
  for (const [what, figure, pattern] of FIGURES) {
    const file = matching(pattern).find((f) => read(f).includes(figure));
    if (file === undefined) problems.push(`Worked figures: "${figure}" (${what}) is in none of ${pattern}`);
    else out.push(`| ${what} | ${figure} | ${link(file)} |`);
  }
  return [...out, ''];
}

const text = `${[
  '# What is covered',
  '',
  '<!-- Written by tools/coverage.mjs from the exports, the docstrings, the goldens and the guide. -->',
  '',
  'Values: the numbers of PyTorch, scikit-learn or a paper that the name is held to, or the tests of its definition. Gradient: the',
  'tests that compare it with differences in float64, first and second order.',
  '',
  ...SECTIONS.flatMap(lines),
  ...figures(),
]
  .join('\n')
  .trimEnd()}\n`;

if (problems.length > 0) {
  console.error(`coverage: ${problems.length} problems\n  ${problems.join('\n  ')}`);
  process.exitCode = 1;
} else if (!process.argv.includes('--check')) {
  writeFileSync(page, text);
} else if (!existsSync(page) || readFileSync(page, 'utf8') !== text) {
  console.error('coverage: docs/coverage.md is old; run `npm run coverage`');
  process.exitCode = 1;
}
