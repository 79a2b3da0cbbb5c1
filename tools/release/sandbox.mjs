// An empty folder with an empty home and a PATH of nothing but Node and npm, with the tarball installed in it.
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const consumers = fileURLToPath(new URL('../../test/package/consumer', import.meta.url));
const TIMEOUT = 300_000;

/** npm's own program file, found beside Node or on the PATH. */
function npmCli() {
  if (process.env.npm_execpath?.endsWith('npm-cli.js')) return process.env.npm_execpath;
  const root = spawnSync('npm', ['root', '--global'], {
    encoding: 'utf8',
    shell: process.platform === 'win32',
  }).stdout.trim();
  return join(root, 'npm', 'bin', 'npm-cli.js');
}

/** Every file below a folder, relative to it. */
function walk(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)));
}

class Sandbox {
  constructor(tarball, launcher) {
    this.base = mkdtempSync(join(tmpdir(), 'neurite-package-'));
    this.app = join(this.base, 'app');
    this.home = join(this.base, 'home');
    this.bin = join(this.base, 'bin');
    for (const folder of [this.app, this.home, this.bin]) mkdirSync(folder);
    this.launcher = launcher;
    if (process.platform !== 'win32') symlinkSync(process.execPath, join(this.bin, 'node'));
    this.npmCli = npmCli();
    cpSync(consumers, this.app, { recursive: true });
    writeFileSync(join(this.app, 'package.json'), '{ "name": "app", "private": true }\n');
    this.before = walk(this.app);
    this.npm(['install', '--ignore-scripts', '--offline', '--no-audit', '--no-fund', resolve(tarball)]);
    this.package = join(this.app, 'node_modules', 'neurite');
  }

  environment(extra = {}) {
    const windows = process.platform === 'win32' ? { SystemRoot: process.env.SystemRoot, TEMP: process.env.TEMP } : {};
    return {
      HOME: this.home,
      USERPROFILE: this.home,
      PATH: process.platform === 'win32' ? dirname(process.execPath) : this.bin,
      ...windows,
      ...extra,
    };
  }

  npm(args, env = {}) {
    const command = [this.npmCli, ...args];
    const { status, stdout, stderr } = spawnSync(process.execPath, command, {
      cwd: this.app,
      env: this.environment(env),
      encoding: 'utf8',
      timeout: TIMEOUT,
    });
    if (status !== 0) throw new Error(`npm ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** Runs a script of the app; `signalOn` sends SIGINT once that was printed. */
  node(args, { env = {}, signalOn } = {}) {
    const [file, ...rest] = [...this.launcher, ...args];
    const child = spawn(file, rest, { cwd: this.app, env: this.environment(env), stdio: ['ignore', 'pipe', 'pipe'] });
    const hang = setTimeout(() => child.kill('SIGKILL'), TIMEOUT);
    return new Promise((settle, reject) => {
      let output = '';
      let signalled = false;
      const collect = (data) => {
        output += data;
        if (signalOn && !signalled && output.includes(signalOn)) signalled = child.kill('SIGINT');
      };
      child.stdout.on('data', collect);
      child.stderr.on('data', collect);
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(hang);
        settle({ code, signal, output });
      });
    });
  }

  async expectOutput(args, pattern, options) {
    const result = await this.node(args, options);
    if (result.code !== 0 || !pattern.test(result.output)) {
      throw new Error(
        `node ${args.join(' ')}: expected ${pattern}, got ${result.signal ?? result.code}:\n${result.output}`,
      );
    }
    return result.output;
  }

  checkClean() {
    const manifest = JSON.parse(readFileSync(join(this.package, 'package.json'), 'utf8'));
    const scripts = Object.keys(manifest.scripts ?? {});
    if (scripts.length > 0) throw new Error(`the published manifest has scripts: ${scripts.join(', ')}`);
    for (const field of ['dependencies', 'devDependencies', 'optionalDependencies']) {
      if (Object.keys(manifest[field] ?? {}).length > 0) throw new Error(`the published manifest has ${field}`);
    }
    const others = readdirSync(join(this.app, 'node_modules')).filter(
      (n) => !['neurite', '.bin', '.package-lock.json'].includes(n),
    );
    if (others.length > 0) throw new Error(`npm also installed ${others.join(', ')}`);
    for (const file of ['binding.gyp', 'build']) {
      if (existsSync(join(this.package, file))) throw new Error(`the package has ${file}`);
    }
  }

  /** Files of the app that were not there before the install. */
  added() {
    return walk(this.app).filter((file) => !this.before.includes(file));
  }

  remove() {
    rmSync(this.base, { recursive: true, force: true });
  }
}

/** Installs the tarball; programs run with `launcher`, by default this Node. */
export function installed(tarball, launcher = [process.execPath]) {
  if (!existsSync(tarball)) throw new Error(`${tarball} is missing; run \`npm run pack:release\` first`);
  return new Sandbox(tarball, launcher);
}
