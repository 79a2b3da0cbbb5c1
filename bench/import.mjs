// npm run bench:import -- [--rounds N] [--tarball FILE] [--json] [--no-history]
//
// What importing the package costs beyond starting Node: release/neurite-<version>.tgz, installed as a user would, because its
// bundled scripts are what users import. All cases take turns in every round. Processor time is the least of the rounds, which
// other processes disturb least; the clock's is their median.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { importLoads } from '../tools/release/import-budget.mjs';
import { installed } from '../tools/release/sandbox.mjs';
import { circumstances, digits, remember, wholeOption } from './harness.mjs';
import { median } from './probe.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '25' },
    tarball: { type: 'string' },
    json: { type: 'boolean', default: false },
    'no-history': { type: 'boolean', default: false },
  },
});
const rounds = wholeOption('rounds', values.rounds, 1);

const PACK =
  'run `npm run build`, `npm run prebuild -- --host` and `node tools/pack-release.mjs --allow-missing`, then this again';

/** The tarball of what was built last; an older one would be measured under this commit's name. */
function tarball() {
  const file = join(root, 'release', `neurite-${version}.tgz`);
  if (!existsSync(file)) throw new Error(`${file} is missing: ${PACK}`);
  const dist = join(root, 'dist');
  if (!existsSync(dist)) return file;
  const built = readdirSync(dist, { recursive: true }).map((name) => statSync(join(dist, name)).mtimeMs);
  if (Math.max(...built) > statSync(file).mtimeMs) throw new Error(`${file} is older than dist: ${PACK}`);
  return file;
}

const sandbox = installed(values.tarball ?? tarball());
try {
  const CASES = [
    { case: 'nothing', code: '0' },
    { case: 'neurite', code: "import 'neurite'" },
    { case: 'neurite/datasets', code: "import 'neurite/datasets'" },
    { case: 'neurite/kernels', code: "import 'neurite/kernels'" },
    // Node 22.1 and newer keep what V8 compiled; the first round fills the folder.
    ...('enableCompileCache' in process.getBuiltinModule('node:module')
      ? [
          {
            case: 'neurite, with NODE_COMPILE_CACHE',
            code: "import 'neurite'",
            env: { NODE_COMPILE_CACHE: join(sandbox.base, 'compiled') },
          },
        ]
      : []),
  ].map((c) => ({ ...c, cpu: [], wall: [] }));

  const about = circumstances();
  for (let r = 0; r < rounds; r++) {
    for (let i = 0; i < CASES.length; i++) {
      const { code, env, cpu, wall } = CASES[(i + r) % CASES.length]; // nobody always goes first
      const program = `${code}; const { user, system } = process.cpuUsage(); console.log((user + system) / 1000)`;
      const started = performance.now();
      const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        cwd: sandbox.app,
        env: sandbox.environment(env),
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`import: ${code} ended with ${status}:\n${stderr}`);
      wall.push(performance.now() - started);
      cpu.push(Number(stdout));
    }
  }
  const [bare, ...all] = CASES.map((c) => ({ case: c.case, cpuMs: Math.min(...c.cpu), wallMs: median(c.wall) }));
  const beyond = all.map((c) => ({ case: c.case, cpuMs: c.cpuMs - bare.cpuMs, wallMs: c.wallMs - bare.wallMs }));
  const rows = [bare, ...beyond].map((c) => ({ ...c, cpuMs: digits(c.cpuMs), wallMs: digits(c.wallMs) }));
  const { builtins, scripts } = await importLoads(sandbox);
  const bytes = scripts.reduce((sum, { length }) => sum + length, 0);
  if (values.json) for (const row of rows) console.log(JSON.stringify(row));
  else console.table(rows);
  if (!values['no-history']) {
    remember({ kind: 'import', ...about, rounds, scripts: scripts.length, bytes, builtins, rows });
  }
} finally {
  sandbox.remove();
}
