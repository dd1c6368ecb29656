import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ClientProgram } from './client-programs.ts';
import type { ClientEnvironment } from './clients-world.ts';
import type { ClientRun, Seen } from './seen.ts';

// A client takes some 3 s on an idle machine.
const clientTimeoutMs = 120_000;

/** Runs a client's program to its end: a line of JSON for its version, then one for each thing. */
export async function runClient(
  { name, command }: ClientProgram,
  server: ClientEnvironment,
): Promise<ClientRun> {
  const [program = '', ...words] = command;
  const child = spawn(program, words, {
    env: { ...process.env, ...server, CLIENT: name, TZ: 'UTC', LC_ALL: 'C.UTF-8' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), clientTimeoutMs);
  const ended = await Promise.race([
    once(child, 'close').then(() => null),
    once(child, 'error').then(([error]) => String(error)),
  ]);
  clearTimeout(timer);
  const lines = out.split('\n').filter((line) => line.startsWith('{'));
  const told: ({ version: string } | Seen)[] = lines.map((line) => JSON.parse(line));
  const failure =
    ended ?? (child.exitCode === 0 ? null : `${child.signalCode ?? child.exitCode}: ${err}`);
  return {
    version: told.flatMap((each) => ('version' in each ? [each.version] : []))[0] ?? null,
    things: told.flatMap((each) => ('name' in each ? [each] : [])),
    failure: failure ?? (out.includes('{') ? null : `it printed nothing ${err}`),
  };
}
