#!/usr/bin/env node
// The command `neurite`. It imports nothing that loads the addon: it is what people run when the addon is missing.
import { once } from 'node:events';
import { didYouMean } from '../errors.js';
import { type Command, readArguments, UsageError } from './command.js';
import { COMMANDS, commandHelp, helpText } from './commands.js';
import { showsStyles } from './text.js';
import { packageVersion } from './version.js';

const styled = showsStyles(process.stdout);

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

function findCommand(name: string): Command {
  const command = COMMANDS.find((c) => c.name === name);
  if (command !== undefined) return command;
  const names = COMMANDS.map((c) => c.name);
  throw new UsageError(
    `neurite: unknown command '${name}', expected ${names.join(', ')} or help.${didYouMean(name, names)}`,
  );
}

async function run(args: readonly string[]): Promise<void> {
  const [name = 'help', ...rest] = args;
  if (name === '--version' || name === '-v') return void process.stdout.write(`${packageVersion()}\n`);
  if (['help', '--help', '-h'].includes(name)) {
    const [about] = rest;
    return void process.stdout.write(about === undefined ? helpText(styled) : commandHelp(findCommand(about), styled));
  }
  const command = findCommand(name);
  const { operands, options } = readArguments(command, rest);
  if (options['help'] === true) return void process.stdout.write(commandHelp(command, styled));
  const act = await command.load();
  const { json, text, exitCode = 0 } = await act({ operands, options, styled });
  const parts = options['json'] === true ? [JSON.stringify(json)] : typeof text === 'string' ? [text] : text;
  for await (const part of parts) {
    if (!process.stdout.write(`${part}\n`)) await once(process.stdout, 'drain');
  }
  process.exitCode = exitCode;
}

const args = process.argv.slice(2);
try {
  await run(args);
} catch (error) {
  const usage = error instanceof UsageError;
  const { message, code } = error as NodeJS.ErrnoException;
  const prefix = usage ? '' : `neurite ${args[0] ?? ''}: `;
  if (args.includes('--json')) {
    process.stdout.write(
      `${JSON.stringify({ error: { code: usage ? 'ERR_USAGE' : (code ?? 'ERR_UNKNOWN'), message } })}\n`,
    );
  } else {
    process.stderr.write(`${prefix}${message}\n`);
    if (usage) process.stderr.write(`Run 'neurite help' for the commands and their options.\n`);
  }
  process.exitCode = usage ? 2 : 1;
}
