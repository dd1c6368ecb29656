import { findFreePorts } from '../../src/lab/free-port.ts';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import { startTestCluster } from '../support/lab.ts';
import { type RunningPgweave, startPgweave } from '../support/pgweave.ts';
import { WireClient } from '../support/wire-client.ts';
import { rowCount } from './pgbench.ts';

const schema = 'create table bench_account (id int8 primary key, balance int4 not null)';
export const shards = ['s1', 's2', 's3', 's4'];
export const login = { user: 'app', database: 'app' };

/** Four shards, and one server that holds all rows: `whole`. */
export async function startServers(): Promise<LabCluster> {
  const settings = {
    max_connections: '200',
    shared_buffers: '64MB',
    max_prepared_transactions: '20',
  };
  const cluster = await startTestCluster({ shards: ['whole', ...shards], schema, settings });
  await onServer(cluster, 'whole', fillSql('true'));
  return cluster;
}

/** pgweave on the server with all rows, as an unsharded table: what routing costs is the difference. */
export async function startUnsharded(cluster: LabCluster): Promise<RunningPgweave> {
  return startPgweaveOn(cluster, ['whole'], 'home: whole');
}

/** pgweave over four shards; asks it where the rows belong and puts them there. */
export async function startSharded(cluster: LabCluster): Promise<RunningPgweave> {
  const sharding = `home: s1
distributions:
  account: { type: int8, modulo: [s1, s2, s3, s4] }
tables:
  bench_account: { distribution: account, key: id }`;
  for (const [remainder, shard] of shards.entries()) {
    // The map's own rule: PostgreSQL's extended hash modulo the number of shards.
    const owned = `mod(mod(hashint8extended(id, 0), 4) + 4, 4) = ${remainder}`;
    await onServer(cluster, shard, fillSql(owned));
  }
  return startPgweaveOn(cluster, shards, sharding);
}

function fillSql(condition: string): string {
  return `insert into bench_account select id, id % 1000 from generate_series(1, ${rowCount}) id
          where ${condition}; vacuum analyze bench_account`;
}

export async function onServer(cluster: LabCluster, shard: string, text: string): Promise<void> {
  const { host, port } = cluster.shard(shard).primary;
  const client = await WireClient.connect({ host, port, ...login, answerTimeoutMs: 600_000 });
  for (const statement of text.split(';')) await client.query(statement);
  client.close();
}

/** `sharding`: the part of the configuration that says what lies where. */
export async function startPgweaveOn(
  cluster: LabCluster,
  names: readonly string[],
  sharding: string,
): Promise<RunningPgweave> {
  const [port = 0, adminPort = 0] = await findFreePorts(2);
  const nodes = names.map((name) => {
    const { host, port: nodePort } = cluster.shard(name).primary;
    return `  ${name}: { nodes: ["${host}:${nodePort}"] }`;
  });
  const text = `
database: app
listen: { host: 127.0.0.1, port: ${port} }
admin: { host: 127.0.0.1, port: ${adminPort} }
shards:
${nodes.join('\n')}
${sharding}
authentication: trust
users:
  app: {}
control: { user: postgres }
failover: { enabled: false }
log: { level: warn }
`;
  return startPgweave(text, port, login);
}
