import { readFileSync } from 'node:fs';
import type { Config, ConfigMistake } from '../config/config.ts';
import { type LoadOptions, loadConfig } from '../config/load-config.ts';
import { readUserlist } from '../config/read-userlist.ts';
import { mapText } from '../sharding/map-text.ts';
import type { CommandResult } from './command-result.ts';

/**
 * `pgweave check`: every mistake of a configuration, and of its users_file, as `file:line:column: message` with its remedy
 * below, exit code 1; or what the configuration says, exit code 0.
 */
export function check(text: string, options: LoadOptions): CommandResult {
  const loaded = loadConfig(text, options);
  if (loaded.kind === 'loaded') {
    const { usersFile } = loaded.config;
    const mistakes = usersFile === null ? null : usersMistakes(usersFile);
    if (mistakes !== null) return { text: mistakes, exitCode: 1 };
    return { text: summary(loaded.config, options.path), exitCode: 0 };
  }
  return { text: mistakesText(loaded.mistakes, options.path), exitCode: 1 };
}

/** null: there are none. Passwords are not shown. */
function usersMistakes(file: string): string | null {
  const remedy = 'write "name" "password", quotes in them twice';
  let text = '';
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return mistakesText([{ line: 1, column: 1, message, remedy: 'name a file it may read' }], file);
  }
  const { mistakes } = readUserlist(text);
  if (mistakes.length === 0) return null;
  const message = 'this is no line of a userlist';
  return mistakesText(
    mistakes.map((line) => ({ line, column: 1, message, remedy })),
    file,
  );
}

/** One paragraph for each mistake, as editors and people can follow it. */
export function mistakesText(mistakes: readonly ConfigMistake[], path: string): string {
  const paragraphs = mistakes.map(
    ({ line, column, message, remedy }) => `${path}:${line}:${column}: ${message}\n    ${remedy}\n`,
  );
  const count = mistakes.length === 1 ? '1 mistake' : `${mistakes.length} mistakes`;
  return `${paragraphs.join('')}${count}\n`;
}

function summary(config: Config, path: string): string {
  const shards = [...config.nodes].map(
    ([shard, nodes]) => `  ${shard}: ${nodes.map(({ id }) => id).join(', ')}`,
  );
  return [
    `${path}: no mistakes`,
    '',
    `database ${config.database}, ${counted(config.users.size, 'user')}, ${counted(shards.length, 'shard')}:`,
    ...shards,
    '',
    mapText(config.shardMap),
  ].join('\n');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
