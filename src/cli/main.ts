#!/usr/bin/env node
// The command `neurite`. It imports nothing that loads the addon: it is what people run when the addon is missing.
import { fileURLToPath } from 'node:url';
import { buildAddon } from './build.js';

const USAGE = `neurite build    compile the native addon from the sources in this package (needs a C++20 compiler)
neurite help     this text
`;

const [command = 'help', ...rest] = process.argv.slice(2);
if (rest.length > 0 || !['build', 'help', '--help', '-h'].includes(command)) {
  console.error(`neurite: unknown command '${[command, ...rest].join(' ')}'\n${USAGE}`);
  process.exitCode = 2;
} else if (command !== 'build') {
  process.stdout.write(USAGE);
} else {
  try {
    const path = await buildAddon(fileURLToPath(new URL('../../', import.meta.url)));
    console.log(`neurite build: made ${path}`);
  } catch (error) {
    console.error(`neurite build: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}
