import { parseArgs } from 'node:util';

export type DemoArguments = {
  readonly port: number;
  readonly adminPort: number;
  readonly directory: string | null;
  readonly shards: number;
  readonly rows: boolean;
};

export type CommandLine =
  | { readonly command: 'help' }
  | { readonly command: 'version' }
  | { readonly command: 'demo'; readonly options: DemoArguments }
  | { readonly command: 'check'; readonly config: string }
  | { readonly command: 'serve'; readonly config: string; readonly allowStranded: boolean }
  | { readonly command: 'explain'; readonly config: string; readonly sql: string }
  | {
      readonly command: 'where';
      readonly config: string;
      readonly table: string;
      /** null: where all keys of the table lie. */
      readonly key: string | null;
    }
  /** One line for stderr. */
  | { readonly command: 'mistake'; readonly message: string };

const commands = ['demo', 'serve', 'check', 'explain', 'where'] as const;
type Command = (typeof commands)[number];

const configOption = { config: { type: 'string' } } as const;
const stranded = 'allow-stranded-rows';
const serveOptions = { ...configOption, [stranded]: { type: 'boolean' } } as const;
const demoOptions = {
  port: { type: 'string' },
  'admin-port': { type: 'string' },
  dir: { type: 'string' },
  shards: { type: 'string' },
  'no-data': { type: 'boolean' },
} as const;

const argumentsOf = {
  serve: { counts: [0], text: 'nothing' },
  check: { counts: [0], text: 'nothing' },
  explain: { counts: [1], text: 'one statement, in quotes,' },
  where: { counts: [1, 2], text: 'a table and, usually, a key' },
} as const satisfies { readonly [name: string]: { counts: readonly number[]; text: string } };

/** What the words after `pgweave` ask for. */
export function readArguments(words: readonly string[]): CommandLine {
  const [first = 'help', ...rest] = words;
  if (words.includes('--help') || words.includes('-h') || first === 'help') {
    return { command: 'help' };
  }
  if (first === '--version') return { command: 'version' };
  const command = commands.find((name) => name === first);
  if (command === undefined) return mistake(`unknown command "${first}"`);
  try {
    return command === 'demo' ? readDemo(rest) : readWithConfig(command, rest);
  } catch (error) {
    return mistake(error instanceof Error ? error.message : String(error));
  }
}

function readDemo(words: readonly string[]): CommandLine {
  const { values } = parseArgs({ args: [...words], options: demoOptions, strict: true });
  return {
    command: 'demo',
    options: {
      port: integer('--port', values.port, 6432, 0, 65_535),
      adminPort: integer('--admin-port', values['admin-port'], 9632, 0, 65_535),
      directory: values.dir ?? null,
      shards: integer('--shards', values.shards, 4, 1, 26),
      rows: values['no-data'] !== true,
    },
  };
}

function readWithConfig(command: Exclude<Command, 'demo'>, words: readonly string[]): CommandLine {
  const { values, positionals } = parseArgs({
    args: [...words],
    options: command === 'serve' ? serveOptions : configOption,
    allowPositionals: true,
    strict: true,
  });
  const { config } = values;
  if (config === undefined) return mistake(`${command} needs --config FILE`);
  const [first, second] = positionals;
  const wanted = argumentsOf[command];
  if (!(wanted.counts as readonly number[]).includes(positionals.length)) {
    return mistake(`${command} takes ${wanted.text} after its options`);
  }
  if (command === 'explain') return { command, config, sql: first ?? '' };
  if (command === 'where') return { command, config, table: first ?? '', key: second ?? null };
  if (command === 'check') return { command, config };
  return { command, config, allowStranded: stranded in values };
}

function integer(
  option: string,
  text: string | undefined,
  byDefault: number,
  min: number,
  max: number,
): number {
  if (text === undefined) return byDefault;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new Error(`${option} takes a whole number from ${min} to ${max}, not "${text}"`);
}

function mistake(message: string): CommandLine {
  return { command: 'mistake', message: message.split('\n')[0] ?? message };
}
