import { ConnectionPool } from '../../src/backend/connection-pool.ts';
import type { ServerConnection } from '../../src/backend/server-connection.ts';
import { noServerTls } from '../../src/backend/server-tls.ts';
import { emptySettings } from '../../src/backend/session-settings.ts';
import { systemClock } from '../../src/base/clock.ts';
import { PgError } from '../../src/base/pg-error.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import type { NodeId, User } from '../../src/config/config.ts';
import { internalExchange } from '../../src/executor/internal-exchange.ts';
import type {
  MultiShardCursor,
  MultiShardSelect,
} from '../../src/executor/select/multi-shard-select.ts';
import { openMultiShardSelect } from '../../src/executor/select/open-multi-shard-select.ts';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import { withSession } from '../../src/lab/sql.ts';
import type { PlanNode } from '../../src/planner/plan.ts';
import { DataRowReader } from '../../src/protocol/data-row.ts';
import { decodeErrorFields } from '../../src/protocol/error-response.ts';
import { encodeQuery } from '../../src/protocol/query-message.ts';
import { decodeRowDescription } from '../../src/protocol/row-description.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import { configFixture } from './config-fixture.ts';

export type Answer = {
  readonly columns: readonly string[];
  /** Column types as OIDs. */
  readonly types: readonly number[];
  readonly rows: readonly (readonly (string | null)[])[];
  readonly end: 'complete' | 'suspended';
};

const user: User = {
  name: 'app',
  verifier: null,
  md5Hash: null,
  serverUser: 'app',
  serverSecret: { kind: 'none' },
  admin: false,
  stats: false,
  safeWrites: null,
};

/** Real pools to the shards of a test cluster, and plans written by hand run over them. */
export class RealShards {
  readonly #cluster: LabCluster;
  readonly #names: readonly string[];
  readonly #pools: ReadonlyMap<string, ConnectionPool>;

  constructor(cluster: LabCluster, names: readonly string[]) {
    this.#cluster = cluster;
    this.#names = names;
    this.#pools = new Map(names.map((name) => [name, this.#newPool(name)]));
  }

  /** One connection of each shard, as an open transaction would hold them. */
  async hold(): Promise<ReadonlyMap<string, ServerConnection>> {
    const held = this.#names.map(
      (name) =>
        new Promise<[string, ServerConnection]>((resolve, reject) => {
          this.#lease(name, (connection) => resolve([name, connection]), reject);
        }),
    );
    return new Map(await Promise.all(held));
  }

  open(
    root: PlanNode,
    statementText: string,
    options: Partial<MultiShardSelect> = {},
    held: ReadonlyMap<string, ServerConnection> | null = null,
  ): Reading {
    return new Reading({
      root,
      shards: this.#names as readonly ShardId[],
      statementText,
      literalText: () => '',
      parameters: { typeOids: [], formats: [], values: [] },
      resultFormats: [],
      wantsDescription: true,
      inTransaction: held !== null,
      mergeBytesMax: 1e7,
      acquire: (shard, onConnection, onRefused) => {
        const connection = held?.get(shard);
        if (connection === undefined) return this.#lease(shard, onConnection, onRefused);
        onConnection(connection, () => {});
        return () => {};
      },
      ...options,
    });
  }

  /** Connections in use, and those that rest in the pools. */
  get counts(): { active: number; idle: number } {
    const counts = [...this.#pools.values()].map((pool) => pool.counts);
    return {
      active: counts.reduce((sum, count) => sum + count.active, 0),
      idle: counts.reduce((sum, count) => sum + count.idle, 0),
    };
  }

  /** What one PostgreSQL with all the rows answers, as text. */
  plain(sql: string, before = ''): Promise<{ rows: (string | null)[][]; types: number[] }> {
    const { primary } = this.#cluster.shard('plain');
    return withSession(primary, this.#cluster.login, async (session) => {
      if (before !== '') await session.query(before);
      const types = { getTypeParser: () => (value: string) => value };
      const answer = await session.query({ text: sql, rowMode: 'array', types });
      return { rows: answer.rows, types: answer.fields.map((field) => field.dataTypeID) };
    });
  }

  stop(): void {
    for (const pool of this.#pools.values()) pool.close(new PgError('57P01', 'the test is over'));
  }

  #lease(
    name: string,
    onConnection: (connection: ServerConnection, release: () => void) => void,
    onRefused: (error: PgError) => void,
  ): () => void {
    const pool = this.#pools.get(name);
    if (pool === undefined) throw new Error(`there is no shard ${name}`);
    return pool.lease({
      user,
      settings: emptySettings,
      mode: 'exclusive',
      onLease: (connection) => onConnection(connection, () => connection.release()),
      onRefused,
    });
  }

  #newPool(name: string): ConnectionPool {
    const { primary } = this.#cluster.shard(name);
    const { host, port } = primary;
    return new ConnectionPool({
      node: { id: `${host}:${port}` as NodeId, host, port, shard: name as ShardId },
      database: this.#cluster.login.database,
      connectionsMax: 4,
      limits: configFixture().limits,
      allowCleartext: false,
      identity: null,
      tls: () => noServerTls,
      clock: systemClock,
      telemetry: silentTelemetry,
      types: () => null,
      onNodeTrouble() {},
    });
  }
}

/** A cursor whose fetches are promises. */
export class Reading {
  readonly cursor: MultiShardCursor;
  #columns: string[] = [];
  #types: number[] = [];
  #rows: (string | null)[][] = [];
  #resolve: (answer: Answer) => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(request: MultiShardSelect) {
    this.cursor = openMultiShardSelect(request, {
      writable: true,
      onDrain() {},
      notice() {},
      description: (frame) => {
        const fields = decodeRowDescription(frame, 0, frame.length);
        this.#columns = fields.map((field) => field.name);
        this.#types = fields.map((field) => field.typeOid);
      },
      rows: (frames) => this.#take(frames),
      suspended: () => this.#end('suspended'),
      complete: () => this.#end('complete'),
      failed: (error) => this.#reject('frame' in error ? serverError(error.frame) : error),
    });
  }

  fetch(maxRows = 0): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.cursor.fetch(maxRows);
    });
  }

  #take(frames: Buffer): void {
    const reader = new DataRowReader();
    for (let start = 0; start < frames.length; ) {
      const end = start + 1 + frames.readInt32BE(start + 1);
      reader.open(frames, start, end);
      const row: (string | null)[] = [];
      while (reader.next()) {
        const { valueStart, valueLength } = reader;
        const isNull = valueLength < 0;
        row.push(isNull ? null : frames.toString('utf8', valueStart, valueStart + valueLength));
      }
      this.#rows.push(row);
      start = end;
    }
  }

  #end(end: Answer['end']): void {
    const rows = this.#rows;
    this.#rows = [];
    this.#resolve({ columns: this.#columns, types: this.#types, rows, end });
  }
}

/** Runs a statement that returns nothing of interest. */
export function run(connection: ServerConnection, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const exchange = internalExchange((outcome) => {
      if (outcome.kind === 'ready') resolve();
      else reject(outcome.kind === 'lost' ? outcome.error : serverError(outcome.frame));
    });
    connection.send(exchange, [encodeQuery(sql)]);
  });
}

function serverError(frame: Buffer): PgError {
  const fields = decodeErrorFields(frame, 0, frame.length);
  return new PgError(fields.get('C') ?? '', fields.get('M') ?? '');
}
