import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import { isRunning, pidTree } from '../../src/lab/pid-tree.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import { waitUntil } from '../../src/lab/wait-until.ts';
import { startPlainPostgres, startTestCluster } from '../support/lab.ts';

describe('a lab of two shards with standbys', () => {
  let cluster: LabCluster;

  beforeAll(async () => {
    cluster = await startTestCluster({
      shards: ['s1', 's2'],
      standbys: true,
      schema: 'create table note (id int primary key, text text)',
    });
  });

  afterAll(async () => {
    await cluster.stop();
  });

  async function ask<Row extends object>(server: PostgresServer, sql: string): Promise<Row[]> {
    return withSession(server, cluster.login, async (session) => (await session.query(sql)).rows);
  }

  it('gives each shard a system identifier of its own, the same on both its nodes', async () => {
    const identifiers = await Promise.all(
      cluster.nodes.map(async (node) => {
        const [row] = await ask<{ id: string }>(
          node,
          'select system_identifier::text as id from pg_control_system()',
        );
        return row?.id;
      }),
    );
    expect(identifiers[0]).toBe(identifiers[1]);
    expect(identifiers[2]).toBe(identifiers[3]);
    expect(identifiers[0]).not.toBe(identifiers[2]);
  });

  it('acknowledges a commit only when the standby has it', async () => {
    const { primary, standby } = cluster.shard('s1');
    const [row] = await ask<{ sync_state: string; application_name: string }>(
      primary,
      'select sync_state, application_name from pg_stat_replication',
    );
    expect(row).toEqual({ sync_state: 'sync', application_name: standby?.id });

    await standby?.pause();
    try {
      const slow = withSession(primary, cluster.login, async (session) => {
        await session.query("set statement_timeout = '300ms'");
        return session.query("insert into note values (1, 'waits')");
      });
      const first = await Promise.race([
        slow.then(() => 'committed'),
        waitUntil(() => false, { timeoutMs: 500, pollMs: 100 }).then(() => 'waiting'),
      ]);
      expect(first).toBe('waiting');
      await standby?.resume();
      await slow;
    } finally {
      await standby?.resume();
    }
  });

  it('rebuilds a killed primary as a standby of the promoted one', async () => {
    const shard = cluster.shard('s2');
    const { primary, standby } = shard;
    if (standby === null) throw new Error('s2 has no standby');
    await ask(primary, "insert into note values (1, 'before')");
    await primary.kill();
    expect(primary.pid).toBeNull();
    await ask(standby, "alter system set synchronous_standby_names = ''");
    await ask(standby, 'select pg_promote()');
    await ask(standby, "insert into note values (2, 'after')");

    await cluster.rebuild(primary);

    await ask(standby, "insert into note values (3, 'streamed')");
    const arrived = await waitUntil(
      async () => (await ask(primary, 'select from note')).length === 3,
      { timeoutMs: 5000, pollMs: 20 },
    );
    expect(arrived).toBe(true);
    expect(await ask(primary, 'select pg_is_in_recovery() as recovering')).toEqual([
      { recovering: true },
    ]);
  });
});

describe('stopping a lab', () => {
  it('leaves no process and no directory, also of frozen and killed servers', async () => {
    const cluster = await startTestCluster({ shards: ['s1', 's2'], standbys: true });
    const trees = await Promise.all(cluster.nodes.map((node) => pidTree(node.pid ?? 0)));
    const pids = trees.flat();
    expect(pids.length).toBeGreaterThan(4 * 4);
    await cluster.nodes[0]?.pause();
    await cluster.nodes[3]?.kill();
    const started = performance.now();
    await cluster.stop();
    expect(performance.now() - started).toBeLessThan(5000);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(existsSync(cluster.directory)).toBe(false);
  });
});

describe('a plain server', () => {
  it('sorts by the bytes of UTF-8 unless told otherwise', async () => {
    const plain = await startPlainPostgres();
    try {
      const { rows } = await withSession(
        plain.server,
        { database: 'app', password: null },
        (session) =>
          session.query("select t from (values ('b'), ('B'), ('é'), ('a')) v(t) order by t"),
      );
      expect(rows.map(({ t }) => t)).toEqual(['B', 'a', 'b', 'é']);
    } finally {
      await plain.stop();
    }
  });
});
