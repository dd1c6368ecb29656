import { findFreePorts } from '../../src/lab/free-port.ts';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import { type PlainPostgres, startPlainPostgres, startTestCluster } from './lab.ts';
import { type RunningPgweave, startPgweave } from './pgweave.ts';
import { type WireAnswer, WireClient, type WireRequest, type WireValue } from './wire-client.ts';

const shardNames = ['s1', 's2', 's3'];
const login = { user: 'app', database: 'app' };

const schema = `
  create table account (id int8 primary key, owner text, balance int, opened date default '2020-01-01',
    changed timestamptz, note text default 'new', twice int generated always as (balance * 2) stored);
  create table entry (account_id int8 not null, number int, amount numeric, primary key (account_id, number));
  create table place (code text primary key, city text, size int);
  create table watched (id int8 primary key, name text);
  create table owing (id int8 primary key references watched, amount int);
  create function watch() returns trigger language plpgsql as 'begin return new; end';
  create trigger watch before update on watched for each row execute function watch();
  create table country (code text primary key, name text, rank int, seq serial,
    made timestamptz default now(), token float8 default random());
  create table memo (id int primary key, account_id int8, body text)`;

/** Tables by name with the column that is the key; null where there is none. */
export const writeTables = {
  account: 'id',
  entry: 'account_id',
  place: 'code',
  watched: 'id',
  owing: 'id',
  country: null,
  memo: null,
} as const;

export type Address = Parameters<typeof WireClient.connect>[0];

/** One answer as text: rows, tag, columns, or the error. */
export type Told = {
  readonly rows: readonly (readonly (string | null)[])[];
  readonly columns: readonly string[];
  readonly tag: string | null;
  readonly error: string | null;
  readonly message: string | null;
  readonly status: string;
};

/** The same tables on one plain PostgreSQL and over three shards behind pgweave. */
export class WriteWorld {
  readonly proxy: WireClient;
  readonly plain: WireClient;
  readonly shards: readonly WireClient[];
  readonly #running: RunningPgweave;
  readonly #cluster: LabCluster;
  readonly #plainServer: PlainPostgres;

  private constructor(
    parts: { cluster: LabCluster; plainServer: PlainPostgres; running: RunningPgweave },
    clients: { proxy: WireClient; plain: WireClient; shards: readonly WireClient[] },
  ) {
    this.#cluster = parts.cluster;
    this.#plainServer = parts.plainServer;
    this.#running = parts.running;
    this.proxy = clients.proxy;
    this.plain = clients.plain;
    this.shards = clients.shards;
  }

  static async start(): Promise<WriteWorld> {
    const settings = { max_prepared_transactions: '20' };
    const cluster = await startTestCluster({ shards: shardNames, schema, settings });
    const plainServer = await startPlainPostgres({ schema });
    const [port = 0, adminPort = 0] = await findFreePorts(2);
    const running = await startPgweave(configOf(cluster, { port, adminPort }), port, login);
    const to = ({ host, port: at }: { readonly host: string; readonly port: number }) =>
      WireClient.connect({ host, port: at, ...login });
    return new WriteWorld(
      { cluster, plainServer, running },
      {
        proxy: await to(running),
        plain: await to(plainServer.server),
        shards: await Promise.all(cluster.shards.map((shard) => to(shard.primary))),
      },
    );
  }

  /** Where pgweave and the plain server listen. */
  get addresses(): { readonly proxy: Address; readonly plain: Address } {
    const { host, port } = this.#plainServer.server;
    return { proxy: { ...this.#running, ...login }, plain: { host, port, ...login } };
  }

  /** pgweave's supervisor. */
  get pid(): number {
    return this.#running.pid;
  }

  /** Another client of pgweave. */
  connect(): Promise<WireClient> {
    return WireClient.connect({ host: this.#running.host, port: this.#running.port, ...login });
  }

  async stop(): Promise<void> {
    for (const client of [this.proxy, this.plain, ...this.shards]) client.close();
    await this.#running.stop();
    await this.#plainServer.stop();
    await this.#cluster.stop();
  }

  get log(): string {
    return this.#running.log();
  }

  /** Empties all tables. */
  async clear(): Promise<void> {
    const text = `truncate ${Object.keys(writeTables).join(', ')} restart identity`;
    await Promise.all([this.plain, ...this.shards].map((client) => client.query(text)));
  }

  /** Runs it on both sides. */
  async both(request: WireRequest): Promise<{ readonly told: Told; readonly plain: Told }> {
    const told = toldBy(await this.proxy.request(request));
    return { told, plain: toldBy(await this.plain.request(request)) };
  }

  /**
   * What is stored on the shards differs from the plain server's so, by table: rows as text, copies
   * that are not the same, rows on a shard that does not own their key.
   */
  async differences(ignored: readonly string[] = []): Promise<readonly string[]> {
    const found: string[] = [];
    for (const [table, key] of Object.entries(writeTables)) {
      const text = `select t::text from ${table} t order by 1`;
      const expected = (await this.plain.query(text)).flat();
      const stored = await Promise.all(
        this.shards.map(async (shard) => (await shard.query(text)).flat()),
      );
      const isReference = table === 'country';
      const [home = [], ...others] = stored;
      if (isReference && others.some((rows) => rows.join('\n') !== home.join('\n'))) {
        found.push(`${table}: copies differ: ${JSON.stringify(stored)}`);
      }
      const union = (isReference ? home : stored.flat()).sort();
      if (!ignored.includes(table) && union.join('\n') !== [...expected].sort().join('\n')) {
        found.push(`${table}: ${JSON.stringify(union)} instead of ${JSON.stringify(expected)}`);
      }
      if (key !== null) found.push(...(await this.#misplaced(table, key)));
    }
    return found;
  }

  async #misplaced(table: string, key: string): Promise<readonly string[]> {
    const found: string[] = [];
    for (const [index, shard] of this.shards.entries()) {
      for (const [value = ''] of await shard.query(`select distinct ${key}::text from ${table}`)) {
        if (ownerOf(table, value ?? '') !== index)
          found.push(`${table}: ${value} on ${shardNames[index]}`);
      }
    }
    return found;
  }
}

/** Keys below 100, from 100 to 199, from 200 on; of places before `h`, before `p`, the rest. */
function ownerOf(table: string, value: string): number {
  if (table === 'place') return value < 'h' ? 0 : value < 'p' ? 1 : 2;
  const id = Number(value);
  return id < 100 ? 0 : id < 200 ? 1 : 2;
}

export function simple(text: string): WireRequest {
  return { protocol: 'simple', text };
}

export function extended(
  text: string,
  values: readonly WireValue[] = [],
  binaryResults = false,
): WireRequest {
  return {
    protocol: 'extended',
    text,
    name: '',
    typeOids: [],
    values,
    binaryResults,
    rowsPerFetch: 0,
  };
}

export function toldBy({ results, error, status }: WireAnswer): Told {
  const last = results.at(-1);
  return {
    rows: last?.rows.map((row) => row.map((value) => value?.toString('latin1') ?? null)) ?? [],
    columns: last?.columns?.map((column) => `${column.name} ${column.typeOid}`) ?? [],
    tag: last?.tag ?? null,
    error: error?.sqlState ?? null,
    message: error?.message ?? null,
    status,
  };
}

function configOf(
  cluster: LabCluster,
  { port, adminPort }: { readonly port: number; readonly adminPort: number },
): string {
  const nodes = cluster.shards.map(
    ({ name, primary }) => `  ${name}: { nodes: ["${primary.host}:${primary.port}"] }`,
  );
  return `
database: app
listen: { host: 127.0.0.1, port: ${port} }
admin: { host: 127.0.0.1, port: ${adminPort} }
workers: 1
shards:
${nodes.join('\n')}
home: s1
distributions:
  account:
    type: int8
    ranges:
      - { shard: s1, to: 100 }
      - { shard: s2, from: 100, to: 200 }
      - { shard: s3, from: 200, to: 1000 }
  place:
    type: text
    ranges:
      - { shard: s1, to: h }
      - { shard: s2, from: h, to: p }
      - { shard: s3, from: p }
tables:
  account: { distribution: account, key: id }
  entry: { distribution: account, key: account_id }
  watched: { distribution: account, key: id }
  owing: { distribution: account, key: id }
  place: { distribution: place, key: code }
  country: { reference: true }
authentication: trust
users:
  app: { admin: true }
control: { user: postgres }
failover: { enabled: false }
log: { level: warn }
`;
}
