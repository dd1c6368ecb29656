import { ConnectionPool } from '../../src/backend/connection-pool.ts';
import type { LeaseRequest } from '../../src/backend/pool.ts';
import type { ServerConnection } from '../../src/backend/server-connection.ts';
import { noServerTls } from '../../src/backend/server-tls.ts';
import { emptySettings, type SessionSettings } from '../../src/backend/session-settings.ts';
import { systemClock } from '../../src/base/clock.ts';
import { PgError } from '../../src/base/pg-error.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import type { Limits, NodeAddress, User } from '../../src/config/config.ts';
import { encodeQuery } from '../../src/protocol/query-message.ts';
import { type FakeScript, FakeServer } from './fake-server.ts';
import { type RecordedExchange, recordedExchange } from './recorded-exchange.ts';

export const app: User = {
  name: 'kim',
  verifier: null,
  md5Hash: null,
  serverUser: 'app',
  serverSecret: { kind: 'none' },
  admin: false,
  stats: false,
  safeWrites: null,
};
export const other: User = { ...app, name: 'lee', serverUser: 'other' };

const limits: Limits = {
  clientsPerUserMax: null,
  clientsPerDatabaseMax: null,
  clientsPerAddressMax: null,
  clientsMax: 100,
  serverConnectionsMax: 10,
  reservedConnectionsMax: 10,
  pipelineDepthMax: 4,
  messageBytesMax: 1_000_000,
  acquireTimeoutMs: 150,
  holdMaxMs: 1000,
  loginTimeoutMs: 1000,
  connectTimeoutMs: 300,
  drainTimeoutMs: 1000,
  serverIdleTimeoutMs: 60_000,
  mergeBytesMax: 1_000_000,
  gatherBytesMax: 1_000_000,
  clientBufferBytes: 65_536,
  sessionBytesMax: 1_000_000,
  planCacheEntries: 10,
  preparedStatementsPerServerMax: 10,
};

const opened: { pool: ConnectionPool; server: FakeServer }[] = [];

/** Ends every pool and server of the test. */
export async function closePools(): Promise<void> {
  for (const { pool, server } of opened.splice(0)) {
    pool.close(new PgError('57P01', 'the test is over'));
    await server.stop();
  }
}

type PoolTest = {
  readonly server: FakeServer;
  readonly pool: ConnectionPool;
  readonly trouble: string[];
};

export function poolOn(options: {
  readonly node: NodeAddress;
  readonly connectionsMax: number;
  readonly changed?: Partial<Limits>;
  readonly allowCleartext?: boolean;
  onNodeTrouble(error: PgError): void;
}): ConnectionPool {
  const { changed = {}, allowCleartext = false, ...others } = options;
  return new ConnectionPool({
    database: 'app',
    limits: { ...limits, ...changed },
    allowCleartext,
    identity: null,
    tls: () => noServerTls,
    clock: systemClock,
    telemetry: silentTelemetry,
    types: () => null,
    ...others,
  });
}

export async function poolOf(
  connectionsMax: number,
  script: FakeScript = {},
  changed: Partial<Limits> = {},
): Promise<PoolTest> {
  const server = await FakeServer.start(script);
  const trouble: string[] = [];
  const pool = poolOn({
    node: server.node,
    connectionsMax,
    changed,
    onNodeTrouble: (error) => trouble.push(error.sqlState),
  });
  opened.push({ pool, server });
  return { server, pool, trouble };
}

type Wanted = { readonly user?: User; readonly settings?: SessionSettings };

export function exclusive(pool: ConnectionPool, wanted: Wanted = {}): Promise<ServerConnection> {
  return new Promise((onLease, onRefused) => {
    const { user = app, settings = emptySettings } = wanted;
    pool.lease({ user, settings, mode: 'exclusive', onLease, onRefused });
  });
}

export async function run(connection: ServerConnection, sql: string): Promise<string[]> {
  const exchange = recordedExchange();
  connection.send(exchange, [encodeQuery(sql)]);
  await exchange.ended;
  return exchange.events;
}

/** A read that may share a connection; rejects when refused. */
export async function shared(
  pool: ConnectionPool,
  sql: string,
  wanted: Wanted = {},
): Promise<RecordedExchange> {
  const exchange = recordedExchange();
  const { user = app, settings = emptySettings } = wanted;
  await new Promise<void>((resolve, onRefused) => {
    const onLease: LeaseRequest['onLease'] = (connection) => {
      connection.send(exchange, [encodeQuery(sql)]);
      resolve();
    };
    pool.lease({ user, settings, mode: 'shared', onLease, onRefused });
  });
  return exchange;
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}
