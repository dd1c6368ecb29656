#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { unreachable } from '../base/assert.ts';
import { systemClock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { readArguments } from './arguments.ts';
import type { CommandResult } from './command-result.ts';
import { helpText } from './help.ts';
import { packageVersion } from './version.ts';

/** Loads what the command needs, no more: who asks for help does not wait for a server. */
async function main(words: readonly string[]): Promise<number> {
  const line = readArguments(words);
  switch (line.command) {
    case 'help':
      return print({ text: helpText, exitCode: 0 });
    case 'version':
      return print({ text: `pgweave ${packageVersion()}\n`, exitCode: 0 });
    case 'mistake':
      process.stderr.write(`pgweave: ${line.message}\nTry pgweave --help.\n`);
      return 2;
    case 'demo': {
      const { demo } = await import('./demo.ts');
      await demo(line.options, systemClock);
      return 0;
    }
    case 'serve': {
      const { serve } = await import('./serve.ts');
      await serve(line.config, line, systemClock);
      return 0;
    }
    case 'check': {
      const { check } = await import('./check.ts');
      return print(check(await read(line.config), load(line.config)));
    }
    case 'where': {
      const { where } = await import('./where.ts');
      return print(where(await read(line.config), load(line.config), line));
    }
    case 'explain': {
      const { explain } = await import('./explain.ts');
      return print(await explain(line.config, line.sql));
    }
    default:
      return unreachable(line);
  }
}

function print({ text, exitCode }: CommandResult): number {
  process.stdout.write(text);
  return exitCode;
}

function load(path: string) {
  return { path, environment: process.env };
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new PgError('F0000', `cannot read ${path}: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One line for what the world can cause; our own mistakes keep their stack. */
function describe(error: unknown): string {
  if (!(error instanceof PgError))
    return error instanceof Error ? (error.stack ?? '') : String(error);
  const lines = [`pgweave: ${error.message}`];
  if (error.detail !== undefined) lines.push(error.detail.trimEnd());
  if (error.hint !== undefined) lines.push(`    ${error.hint}`);
  return lines.join('\n');
}

// Whoever read the output has gone (`pgweave serve | head`): no reason to stop serving.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

main(process.argv.slice(2)).then(
  (exitCode) => {
    process.exitCode = exitCode;
    // Everything that was started has been stopped; what a library still holds open must not keep
    // a finished command alive.
    process.stdout.write('', () => process.exit(exitCode));
  },
  (error: unknown) => {
    process.stderr.write(`${describe(error)}\n`);
    process.exit(1);
  },
);
