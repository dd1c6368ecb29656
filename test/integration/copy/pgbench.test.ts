import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findFreePorts } from '../../../src/lab/free-port.ts';
import type { LabCluster } from '../../../src/lab/lab-cluster.ts';
import { startTestCluster } from '../../support/lab.ts';
import { type RunningPgweave, startPgweave } from '../../support/pgweave.ts';
import { WireClient } from '../../support/wire-client.ts';

const login = { user: 'app', database: 'app' };
const run = promisify(execFile);
const hasPgbench = spawnSync('pgbench', ['--version']).status === 0;

// As pgbench makes them.
const schema = `
  create table pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
  create table pgbench_tellers (tid int not null, bid int, tbalance int, filler char(84));
  create table pgbench_accounts (aid int not null primary key, bid int, abalance int, filler char(84));
  create table pgbench_branches (bid int not null primary key, bbalance int, filler char(88))`;

let cluster: LabCluster;
let pgweave: RunningPgweave;

beforeAll(async () => {
  const settings = { max_prepared_transactions: '20' };
  cluster = await startTestCluster({ shards: ['s1', 's2'], schema, settings });
  const [port = 0, adminPort = 0] = await findFreePorts(2);
  const nodes = cluster.shards.map(
    ({ name, primary }) => `  ${name}: { nodes: ["${primary.host}:${primary.port}"] }\n`,
  );
  const config = `
database: app
listen: { host: 127.0.0.1, port: ${port} }
admin: { host: 127.0.0.1, port: ${adminPort} }
workers: 1
shards:
${nodes.join('')}home: s1
distributions:
  account: { type: int4, modulo: [s1, s2] }
  branch: { type: int4, modulo: [s1, s2] }
tables:
  pgbench_accounts: { distribution: account, key: aid }
  pgbench_branches: { distribution: branch, key: bid }
  pgbench_tellers: { distribution: branch, key: bid }
  pgbench_history: { distribution: branch, key: bid }
authentication: trust
users:
  app: { admin: true }
control: { user: postgres }
failover: { enabled: false }
log: { level: warn }
`;
  pgweave = await startPgweave(config, port, login);
}, 60_000);

afterAll(async () => {
  await pgweave?.stop();
  await cluster?.stop();
});

// Without pgbench (it is in Debian's postgresql-contrib) there is nothing to test.
describe.skipIf(!hasPgbench)('pgbench', () => {
  it('fills its tables over shards, frozen, and again', async () => {
    const { host, port } = pgweave;
    const client = await WireClient.connect({ host, port, ...login });
    const at = ['-h', host, '-p', `${port}`, '-U', 'app'];
    const arguments_ = ['-i', '-I', 'g', '-q', '-s', '2', ...at, 'app'];
    for (const round of [1, 2]) {
      await run('pgbench', arguments_);
      const counts = await client.query(
        `select (select count(*) from pgbench_accounts), (select count(*) from pgbench_tellers),
           (select count(*) from pgbench_branches), (select sum(aid) from pgbench_accounts)`,
      );
      expect([round, ...counts]).toEqual([round, ['200000', '20', '2', '20000100000']]);
    }
    for (const shard of cluster.shards) {
      const { host: at, port: shardPort } = shard.primary;
      const server = await WireClient.connect({ host: at, port: shardPort, ...login });
      const [[rows, misplaced] = []] = await server.query(
        `select count(*), count(*) filter (where mod(mod(hashint4extended(aid, 0), 2) + 2, 2) <> ${shard.name === 's1' ? 0 : 1})
         from pgbench_accounts`,
      );
      expect(Number(rows)).toBeGreaterThan(90_000);
      expect(misplaced).toBe('0');
      server.close();
    }
    client.close();
  }, 120_000);

  it('runs TPC-B over shards, and all balances agree', async () => {
    const { host, port } = pgweave;
    const client = await WireClient.connect({ host, port, ...login });
    const at = ['-h', host, '-p', `${port}`, '-U', 'app'];
    await run('pgbench', ['-i', '-I', 'g', '-q', '-s', '2', ...at, 'app']);
    const load = ['-n', '-b', 'tpcb-like', '-c', '4', '-t', '40', '--max-tries=50'];
    for (const protocol of ['simple', 'extended', 'prepared']) {
      await run('pgbench', [...load, '-M', protocol, ...at, 'app']);
    }
    const balances = await client.query(
      `select (select sum(abalance) from pgbench_accounts), (select sum(tbalance) from pgbench_tellers),
         (select sum(bbalance) from pgbench_branches), (select sum(delta) from pgbench_history),
         (select count(*) from pgbench_history)`,
    );
    const [accounts, tellers, branches, history, count] = balances[0] ?? [];
    expect([tellers, branches, history]).toEqual([accounts, accounts, accounts]);
    expect(count).toBe('480');
    client.close();
  }, 120_000);
});
