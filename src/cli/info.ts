// `neurite info`: what the library is and runs on; where its addon does not load, why.
import { freemem, release, totalmem } from 'node:os';
import type { JsonValue } from '../json.js';
import type { Call, Outcome } from './command.js';
import { bold, columns, showBytes } from './text.js';
import { packageVersion } from './version.js';

type Core = typeof import('../core.js');

/** The engine, or why its addon does not load. */
async function loadCore(): Promise<Core | Error> {
  try {
    return await import('../core.js');
  } catch (error) {
    return error as Error;
  }
}

export async function info({ styled }: Call): Promise<Outcome> {
  const core = await loadCore();
  const host = {
    node: process.version,
    platform: process.platform,
    arch: process.arch,
    release: release(),
    memoryBytes: totalmem(),
    memoryFreeBytes: freemem(),
  };
  const head: [string, string][] = [
    ['neurite', packageVersion()],
    ['node', host.node],
    ['system', `${host.platform} ${host.arch}, ${host.release}`],
    ['memory', `${showBytes(host.memoryBytes)}, ${showBytes(host.memoryFreeBytes)} free`],
  ];
  if (core instanceof Error) {
    const json: JsonValue = { version: packageVersion(), host, native: null, error: core.message };
    return { json, text: `${columns(head)}\n\n${core.message}`, exitCode: 1 };
  }
  const native = core.info();
  const memory = core.memory();
  const devices = core.devices();
  const text = columns(
    [
      ...head,
      ['binary', native.path],
      ['build', `${native.version}, ${native.compiler}`],
      ['processor', native.cpu],
      ['instructions', `${native.isa} of ${native.isas.join(', ')} (NEURITE_ISA)`],
      ['threads', `${native.threads} (NEURITE_THREADS)`],
      ['limit', Number.isFinite(memory.limit) ? showBytes(memory.limit) : 'none'],
      ...devices.map((d): [string, string] => [`device ${d.name}`, `${d.available ? '' : 'absent: '}${d.detail}`]),
    ].map(([name = '', value = '']) => [bold(name, styled), value]),
  );
  const json: JsonValue = {
    version: packageVersion(),
    host,
    native: { ...native, isas: [...native.isas] },
    memory: {
      bytes: memory.bytes,
      arenaBytes: memory.arenaBytes,
      limit: Number.isFinite(memory.limit) ? memory.limit : null,
    },
    devices: devices.map((d) => ({ ...d })),
    error: null,
  };
  return { json, text };
}
