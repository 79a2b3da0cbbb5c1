import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface Finished {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `script` (beside this file, importing the built package) in a process of its own. */
export function runScript(
  script: string,
  options: {
    args?: readonly string[];
    nodeArgs?: readonly string[];
    env?: Record<string, string>;
    onStart?: (child: ChildProcess) => void;
  } = {},
): Promise<Finished> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [...(options.nodeArgs ?? []), path, ...(options.args ?? [])], {
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  options.onStart?.(child);
  return new Promise((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (d) => {
      stdout += d;
    });
    child.stderr?.on('data', (d) => {
      stderr += d;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** The object on the last line of a script's output. */
export function lastJson(result: Finished): Record<string, number> {
  const line = result.stdout.trim().split('\n').at(-1) ?? '';
  if (result.code !== 0) throw new Error(`exit ${result.code ?? result.signal}: ${result.stderr}`);
  return JSON.parse(line) as Record<string, number>;
}
