// Builds one of the helper programs of CMakeLists.txt (option NEURITE_TOOLS) in build/tools and returns its path.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

export function nativeProgram(target) {
  const directory = join(root, 'build', 'tools');
  const cmake = (...args) => {
    const { status, error, stdout, stderr } = spawnSync('cmake', args, { cwd: root, encoding: 'utf8' });
    if (error) throw new Error(`${target}: cmake did not start (${error.message}); install CMake`);
    if (status !== 0) throw new Error(`${target}: the build failed\n${stdout}${stderr}`);
  };
  cmake('-S', root, '-B', directory, '-DNEURITE_TOOLS=ON', '-DCMAKE_BUILD_TYPE=Release');
  cmake('--build', directory, '--target', target, '--config', 'Release', '--parallel', '2');
  return join(directory, process.platform === 'win32' ? `Release/${target}.exe` : target);
}
