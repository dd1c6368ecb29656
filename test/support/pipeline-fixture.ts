import { afterEach } from 'vitest';
import { type ConnectionOwner, PipelineConnection } from '../../src/backend/pipeline-connection.ts';
import { shakeHands } from '../../src/backend/server-handshake.ts';
import { noServerTls } from '../../src/backend/server-tls.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { User } from '../../src/config/config.ts';
import { encodeCommandComplete } from '../../src/protocol/command-complete.ts';
import { encodeQuery } from '../../src/protocol/query-message.ts';
import { readyForQuery } from '../../src/protocol/ready-for-query.ts';
import { type FakeScript, FakeServer } from './fake-server.ts';
import { type RecordedExchange, recordedExchange } from './recorded-exchange.ts';

const user: User = {
  name: 'kim',
  verifier: null,
  md5Hash: null,
  serverUser: 'app',
  serverSecret: { kind: 'none' },
  admin: false,
  stats: false,
  safeWrites: null,
};
const servers: FakeServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

type Notes = { readonly notes: string[] };

/** A connection to a fake server, which the test ends. `notes`: what its owner was told. */
export async function connected(
  script: FakeScript = {},
  frameBytesMax = 1000,
): Promise<{ server: FakeServer; connection: PipelineConnection } & Notes> {
  const server = await FakeServer.start(script);
  servers.push(server);
  const notes: string[] = [];
  const owner: ConnectionOwner = {
    received: () => {},
    advanced: (connection) => notes.push(`advanced ${connection.depth}`),
    released: () => notes.push('released'),
    mayReserve: () => null,
    cancelSettled: () => notes.push('cancel settled'),
    ended: (_connection, error, end) => notes.push(`${end} ${error.sqlState}`),
  };
  const { node } = server;
  const options = {
    node,
    clock: systemClock,
    frameBytesMax,
    preparedStatementsMax: 2,
    connectTimeoutMs: 200,
    types: () => null,
  };
  const connection = await new Promise<PipelineConnection>((resolve, reject) => {
    shakeHands(
      {
        node,
        user,
        database: 'app',
        clock: systemClock,
        timeoutMs: 1000,
        allowCleartext: false,
        identity: null,
        tls: noServerTls,
      },
      (session) => resolve(new PipelineConnection(options, session, owner)),
      reject,
    );
  });
  return { server, connection, notes };
}

export function send(
  connection: PipelineConnection,
  sql: string,
  readyCount = 1,
): RecordedExchange {
  const exchange = recordedExchange(readyCount);
  connection.send(exchange, [encodeQuery(sql)]);
  return exchange;
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

export const done = (tag = 'SELECT 0') =>
  Buffer.concat([encodeCommandComplete(tag), readyForQuery.idle]);
