import { Client } from 'pg';
import type { PostgresServer } from './postgres-server.ts';

export type Login = { readonly database: string; readonly password: string | null };

/** A session of the superuser on one server, for the time of `work`. */
export async function withSession<Result>(
  server: PostgresServer,
  { database, password }: Login,
  work: (session: Client) => Promise<Result>,
): Promise<Result> {
  const session = new Client({
    host: server.host,
    port: server.port,
    user: 'postgres',
    database,
    application_name: 'pgweave lab',
    ...(password === null ? {} : { password }),
  });
  // The query in flight rejects anyway; without a listener the loss would end the whole program.
  session.on('error', () => {});
  await session.connect();
  try {
    return await work(session);
  } finally {
    await session.end();
  }
}
