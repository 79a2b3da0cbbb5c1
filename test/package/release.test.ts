import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const tools = new URL('../../tools/release/', import.meta.url);

interface Elf {
  readonly machine: string;
  readonly needed: readonly string[];
  readonly versions: readonly string[];
  readonly exported: readonly string[];
  readonly stripped: boolean;
}
const { glibcFloor, readElf } = (await import(new URL('elf.mjs', tools).href)) as {
  glibcFloor(versions: readonly string[]): string;
  readElf(file: string): Elf;
};
const { publishedManifest } = (await import(new URL('manifest.mjs', tools).href)) as {
  publishedManifest(manifest: object): Record<string, unknown>;
};

describe.runIf(process.platform === 'linux')('what an addon asks of the system', () => {
  it('is read from the ELF file', () => {
    const elf = readElf(join(root, 'build/Release/neurite.node'));
    expect(elf.machine).toBe(process.arch);
    expect(elf.exported).toEqual(['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
    expect(elf.needed.some((name) => name.startsWith('libstdc++'))).toBe(false);
    expect(elf.needed.some((name) => /libc\.(so|musl)/.test(name))).toBe(true);
    expect(elf.stripped).toBe(true);
  });

  it('agrees with a file whose needs are known: Node itself', () => {
    const elf = readElf(process.execPath);
    expect(elf.machine).toBe(process.arch);
    expect(elf.exported).toContain('napi_create_object');
    const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
    if (header.glibcVersionRuntime !== undefined) {
      const [have, need] = [header.glibcVersionRuntime, glibcFloor(elf.versions)];
      expect(need.localeCompare(have, 'en', { numeric: true }), `${need} on ${have}`).toBeLessThanOrEqual(0);
    }
  });

  it('refuses other files', () => {
    expect(() => readElf(join(root, 'package.json'))).toThrow('expected a 64-bit little-endian ELF file');
  });
});

describe('the newest glibc version', () => {
  it('is by number, not by text, and private versions do not count', () => {
    expect(glibcFloor(['GLIBC_2.2.5', 'GLIBC_2.28', 'GLIBC_2.9', 'GLIBC_PRIVATE', 'GCC_4.0.0'])).toBe('2.28');
    expect(glibcFloor(['GCC_3.0'])).toBe('');
  });
});

describe('the published manifest', () => {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, unknown>;
  const published = publishedManifest(manifest);

  it('has nothing that npm would run or install', () => {
    for (const field of ['scripts', 'devDependencies', 'dependencies', 'optionalDependencies', 'gypfile']) {
      expect(published[field], field).toBeUndefined();
    }
  });

  it('keeps what users need, and no path of the sources', () => {
    for (const field of ['name', 'version', 'license', 'engines', 'exports', 'types', 'bin', 'type']) {
      expect(published[field], field).toEqual(manifest[field]);
    }
    expect(JSON.stringify(published)).not.toContain('./src/');
  });
});

describe('npm run build', () => {
  it('does not cross compile, although npm runs the script "prebuild" before it', () => {
    const folder = mkdtempSync(join(tmpdir(), 'neurite-hook-'));
    try {
      const hook = new URL('hook.mjs', tools).href;
      const print = `import { isHookOf } from ${JSON.stringify(hook)}; console.log('hook', isHookOf('build'));`;
      writeFileSync(join(folder, 'hook.mjs'), print);
      const scripts = { prebuild: 'node hook.mjs', build: 'node --version' };
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'hook', private: true, scripts }));
      const npm = (script: string): string =>
        spawnSync('npm', ['run', script], { cwd: folder, encoding: 'utf8', shell: process.platform === 'win32' })
          .stdout;
      expect(npm('build')).toContain('hook true');
      expect(npm('prebuild')).toContain('hook false');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
