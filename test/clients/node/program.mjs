import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

const newer = 'test/clients/.tools/embedded_postgres/pginstall/bin';

/** PostgreSQL's programs of the servers' version, which were built without TLS. */
export function newerProgram(name) {
  const path = `${newer}/${name}`;
  if (!existsSync(path)) throw new Error(`${path} is missing`);
  return path;
}

export const withoutTls = { PGSSLMODE: 'disable' };

/** What the program printed, without what differs from run to run. */
export async function run(program, words, { input = '', env = {}, cwd = '.' } = {}) {
  const environment = { ...process.env, PAGER: '', LC_ALL: 'C', ...env };
  const child = spawn(program, words, { env: environment, cwd });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [code] = await once(child, 'close');
  return { code, out: out.split('\n'), err: err.split('\n') };
}

/** `psql (PostgreSQL) 15.18 (Debian ...)` is 15.18. */
export async function versionOf(program) {
  const { out } = await run(program, ['--version']);
  return /\d+(\.\d+)+/.exec(out[0])?.[0] ?? '';
}

/** Ends the thing as refused or failed, with the SQLSTATE that the program shows. */
export function demandSuccess(seen) {
  if (seen.code === 0) return seen;
  const text = seen.err.join('\n');
  const code = /(?:ERROR|FATAL): +(\w{5}):/.exec(text)?.[1];
  throw Object.assign(new Error(text.trim()), { code });
}
