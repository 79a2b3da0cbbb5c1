// Whether npm runs this process as the "pre" hook of another script: `npm run build` first runs a script named "prebuild".
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Parent and command line of a process; npm makes its own read "npm run build". */
function describe(pid) {
  try {
    const parent = /^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return { parent: Number(parent), command: readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ') };
  } catch {
    try {
      const line = execFileSync('ps', ['-o', 'ppid=,args=', '-p', String(pid)], { encoding: 'utf8' });
      const [, parent, command] = /^\s*(\d+)\s+(.*)/.exec(line) ?? [];
      return { parent: Number(parent), command: command ?? '' };
    } catch {
      return { parent: 0, command: '' };
    }
  }
}

/** Whether an npm above this process was asked for `script`. False where that cannot be told. */
export function isHookOf(script) {
  if (process.env.npm_lifecycle_event !== `pre${script}`) return false;
  for (let pid = process.ppid, depth = 0; pid > 1 && depth < 3; depth++) {
    const { parent, command } = describe(pid);
    if (/\bnpm\b/.test(command)) return new RegExp(`\\b(run|run-script)\\b.*\\s${script}(\\s|$)`).test(command);
    pid = parent;
  }
  return false;
}
