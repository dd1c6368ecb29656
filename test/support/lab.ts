import type { Locale } from '../../src/lab/data-directory.ts';
import { LabCluster } from '../../src/lab/lab-cluster.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import type { ServerSettings } from '../../src/lab/server-settings.ts';
import { withSession } from '../../src/lab/sql.ts';

export type TestClusterOptions = {
  readonly shards: readonly string[];
  /** Synchronous streaming standbys of each primary, true for one; default false. */
  readonly standbys?: boolean | number;
  /** SQL that the role `app` runs on every shard, in the database `app`. */
  readonly schema?: string;
  /** Default: builtin C.UTF-8. */
  readonly locale?: Locale;
  readonly settings?: ServerSettings;
};

/**
 * Real shards for a test: no fsync, no passwords (`postgres` is superuser, `app` owns the database
 * `app`). Call stop() in the end, also when the test failed.
 */
export async function startTestCluster(options: TestClusterOptions): Promise<LabCluster> {
  const cluster = await LabCluster.start({
    shards: options.shards,
    standbys: Number(options.standbys ?? 0),
    directory: null,
    bytesMax: 512 * 1024 ** 2,
    database: 'app',
    authentication: 'trust',
    locale: options.locale ?? { provider: 'builtin', name: 'C.UTF-8' },
    durable: false,
    settings: options.settings ?? {},
  });
  try {
    const { schema } = options;
    if (schema !== undefined) {
      await Promise.all(
        cluster.shards.map(({ primary }) =>
          withSession(primary, cluster.login, (session) =>
            session.query(`set synchronous_commit = remote_apply; set role app; ${schema}`),
          ),
        ),
      );
    }
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

export type PlainPostgres = {
  readonly server: PostgresServer;
  stop(): Promise<void>;
};

/** One server without shards: what the same statements answer on PostgreSQL itself. */
export async function startPlainPostgres(
  options: Omit<TestClusterOptions, 'shards' | 'standbys'> = {},
): Promise<PlainPostgres> {
  const cluster = await startTestCluster({ ...options, shards: ['plain'] });
  return { server: cluster.shard('plain').primary, stop: () => cluster.stop() };
}
