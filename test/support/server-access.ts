import { chmod, chown, copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { type Login, withSession } from '../../src/lab/sql.ts';
import type { Certificates } from './certificates.ts';

/** Replaces the server's pg_hba.conf; the superuser `postgres` stays trusted, by a first line. */
export async function replaceHba(
  server: PostgresServer,
  login: Login,
  lines: readonly string[],
): Promise<void> {
  const path = join(server.dataDirectory, 'pg_hba.conf');
  const own = ['local all all trust', 'host all postgres 127.0.0.1/32 trust'];
  await writeFile(path, [...own, ...lines, ''].join('\n'));
  await withSession(server, login, (session) => session.query('select pg_reload_conf()'));
}

/** The server takes TLS from now on, with the certificate `server`, and believes the authority `ca`. */
export async function switchTlsOn(
  server: PostgresServer,
  login: Login,
  certificates: Certificates,
): Promise<void> {
  const place = (name: string) => join(server.dataDirectory, name);
  await copyFile(certificates.certificate('server'), place('server.crt'));
  await copyFile(certificates.key('server'), place('server.key'));
  await copyFile(certificates.certificate('ca'), place('root.crt'));
  for (const name of ['server.crt', 'server.key', 'root.crt']) {
    await chmod(place(name), 0o600);
    if (server.account !== null) {
      await chown(place(name), server.account.uid, server.account.gid);
    }
  }
  await withSession(server, login, async (session) => {
    await session.query("alter system set ssl_ca_file = 'root.crt'");
    await session.query('alter system set ssl = on');
    await session.query('select pg_reload_conf()');
  });
}
