// Runs prebuildify for the system it is on: the way to macOS and Windows binaries.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * Builds prebuilds/<platform>-<arch>/neurite[.libc].node under release/.
 *
 * @param {string} root the checkout
 * @returns {boolean} whether it succeeded
 */
export function runPrebuildify(root) {
  // In a copy, because prebuildify lets node-gyp clear the build folder.
  const stage = join(root, 'build', 'prebuildify');
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  for (const entry of ['package.json', 'binding.gyp', 'native']) {
    cpSync(join(root, entry), join(stage, entry), { recursive: true });
  }
  const bin = join(dirname(createRequire(import.meta.url).resolve('prebuildify/package.json')), 'bin.js');
  // The running Node is the target, so that the headers beside it serve and nothing is downloaded.
  const target = process.version.slice(1);
  const args = ['--napi', '--strip', '--name', 'neurite', '--target', target, '--out', join(root, 'release')];
  // Elsewhere it would tag the file with a libc that its loaders do not ask for.
  if (process.platform === 'linux') args.push('--tag-libc');
  // node-gyp compiles one file at a time unless told otherwise.
  const env = { JOBS: 'max', ...process.env };
  const prefix = process.platform === 'win32' ? dirname(process.execPath) : dirname(dirname(process.execPath));
  if (existsSync(join(prefix, 'include', 'node', 'node_api.h'))) env.npm_config_nodedir = prefix;
  return spawnSync(process.execPath, [bin, ...args], { cwd: stage, env, stdio: 'inherit' }).status === 0;
}
