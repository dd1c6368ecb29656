import { Client } from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { controlLogin, withControlConnection } from '../../src/cluster/control-connection.ts';
import { lockSettings } from '../../src/cluster/monitor/settings-lock.ts';
import type { Failover } from '../../src/config/config.ts';
import type { LabShard } from '../../src/lab/lab-shard.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import { startTestCluster } from '../support/lab.ts';
import { WatchedCluster } from '../support/watched-cluster.ts';
import { idsOf, startWriter, writtenSchema } from '../support/watched-writer.ts';

let watched: WatchedCluster | null = null;

afterEach(async () => {
  await watched?.stop();
  watched = null;
});

async function startPair(
  failover: Partial<Failover> = {},
): Promise<{ cluster: WatchedCluster; shard: LabShard }> {
  const lab = await startTestCluster({
    shards: ['a'],
    standbys: true,
    schema: writtenSchema,
  });
  watched = await WatchedCluster.start(lab, failover);
  const shard = lab.shard('a');
  await watched.untilArmed(shard);
  return { cluster: watched, shard };
}

function standbyOf(shard: LabShard): PostgresServer {
  if (shard.standby === null) throw new Error('no standby');
  return shard.standby;
}

describe('failover of a real pair', () => {
  it('finds the roles, writes the first epoch and arms the standby', async () => {
    const { cluster, shard } = await startPair();
    expect(cluster.primary(shard)).toBe(shard.primary);
    expect(cluster.states).toMatchObject([
      {
        shard: 'a',
        epoch: 1,
        primary: shard.primary.id,
        standbys: [standbyOf(shard).id],
        identity: { synchronousCommit: 'on' },
        reason: '',
      },
    ]);
    expect(cluster.role(standbyOf(shard))).toBe('standby');
  });

  it('replaces a killed primary at once and keeps every acknowledged row', async () => {
    const { cluster, shard } = await startPair();
    const writer = startWriter(cluster, shard);
    await sleep(300);
    const killedAt = systemClock.now();
    await shard.primary.kill();
    await cluster.until('the standby to be primary', () => {
      return cluster.primary(shard) === standbyOf(shard);
    });
    const openedMs = systemClock.now() - killedAt;
    await sleep(300);
    const acknowledged = await writer.stop();
    expect(acknowledged.length).toBeGreaterThan(20);
    expect(await idsOf(cluster, standbyOf(shard))).toEqual(expect.arrayContaining(acknowledged));
    expect(cluster.states[0]?.epoch).toBe(2);
    expect(cluster.journals[0]).toMatchObject({ cause: 'failure', epoch: 2 });
    expect(openedMs).toBeLessThan(1000);
    expect(cluster.durability(shard)).toBe('solo');
  });

  it('quarantines the old primary when it returns, and arms it again once it is rebuilt', async () => {
    const { cluster, shard } = await startPair();
    await shard.primary.kill();
    await cluster.until('a failover', () => cluster.primary(shard) === standbyOf(shard));
    await shard.primary.start();
    await cluster.until('quarantine', () => cluster.role(shard.primary) === 'quarantined');
    expect(cluster.primary(shard)).toBe(standbyOf(shard));
    await untilFenced(cluster, shard.primary);
    await cluster.lab.rebuild(shard.primary);
    await cluster.untilArmed(shard);
    expect(cluster.role(shard.primary)).toBe('standby');
    await standbyOf(shard).kill();
    await cluster.until('a failover back', () => cluster.primary(shard) === shard.primary);
    expect(cluster.states[0]?.epoch).toBe(3);
    await withSession(shard.primary, cluster.lab.login, (session) =>
      session.query('insert into written values (-1)'),
    );
  });

  it('replaces a primary that hangs, and does not believe it when it wakes', async () => {
    const { cluster, shard } = await startPair();
    const writer = startWriter(cluster, shard);
    await sleep(200);
    await shard.primary.pause();
    await cluster.until('a failover', () => cluster.primary(shard) === standbyOf(shard));
    await shard.primary.resume();
    await cluster.until('quarantine', () => cluster.role(shard.primary) === 'quarantined');
    const acknowledged = await writer.stop();
    expect(await idsOf(cluster, standbyOf(shard))).toEqual(expect.arrayContaining(acknowledged));
    expect(cluster.journals).toHaveLength(1);
  });

  it('goes on alone when the standby dies, and then does not promote it', async () => {
    const { cluster, shard } = await startPair();
    await standbyOf(shard).kill();
    await cluster.until('solo', () => cluster.durability(shard) === 'solo');
    await withSession(shard.primary, cluster.lab.login, (session) =>
      session.query('insert into written values (1)'),
    );
    await shard.primary.kill();
    await standbyOf(shard).start();
    await cluster.until('blocked', () => /it was not armed/.test(cluster.states[0]?.reason ?? ''));
    await sleep(1000);
    expect(cluster.primary(shard)).toBeNull();
    const failover = { kind: 'failover', to: null, allowDataLoss: false } as const;
    await expect(cluster.command(failover)).rejects.toMatchObject({ sqlState: '55000' });
    await shard.primary.start();
    await cluster.until('the primary again', () => cluster.primary(shard) === shard.primary);
    expect(cluster.states[0]?.epoch).toBe(1);
    await cluster.untilArmed(shard);
  });

  it('waits for a primary that restarts quickly after a crash of one backend', async () => {
    const { cluster, shard } = await startPair();
    const pid = await withSession(shard.primary, cluster.lab.login, async (session) => {
      const { rows } = await session.query<{ pid: number }>(
        "select pid from pg_stat_activity where backend_type = 'background writer'",
      );
      return rows[0]?.pid ?? 0;
    });
    process.kill(pid, 'SIGKILL');
    await cluster.until('a suspicion', () => cluster.history.some((s) => s.primary === null));
    await cluster.until('a primary', () => cluster.primary(shard) !== null);
    await cluster.until('a safe state', () => cluster.durability(shard) !== 'arming');
  });

  it('switches over by an operator without losing a row', async () => {
    const { cluster, shard } = await startPair();
    const writer = startWriter(cluster, shard);
    await sleep(200);
    const message = await cluster.command({ kind: 'switchover', to: null });
    expect(message).toBe(`the primary of shard "a" is now ${standbyOf(shard).id}`);
    expect(cluster.primary(shard)).toBe(standbyOf(shard));
    const acknowledged = await writer.stop();
    expect(await idsOf(cluster, standbyOf(shard))).toEqual(expect.arrayContaining(acknowledged));
    expect(cluster.journals[0]).toMatchObject({ cause: 'operator' });
  });

  it('gives a switchover up, and goes on, when the standby cannot follow', async () => {
    const { cluster, shard } = await startPair();
    const reader = await holdUpReplay(cluster, shard);
    const writer = startWriter(cluster, shard);
    await sleep(100);
    const failover = { kind: 'failover', to: null, allowDataLoss: false } as const;
    await expect(cluster.command(failover)).rejects.toMatchObject({ sqlState: '55000' });
    await reader.end();
    await cluster.until('the old primary', () => cluster.primary(shard) === shard.primary);
    await sleep(300);
    const acknowledged = await writer.stop();
    expect(await idsOf(cluster, shard.primary)).toEqual(expect.arrayContaining(acknowledged));
    // Whoever used the numbers of the failed attempt, this epoch is newer.
    expect(cluster.states[0]?.epoch).toBe(3);
    await withSession(shard.primary, cluster.lab.login, (session) =>
      session.query('insert into written values (-1)'),
    );
  });

  it('leaves no fence behind when the configuration changes in the middle of a switchover', async () => {
    const { cluster, shard } = await startPair();
    // It has a second to end; until then the fence is not up.
    const straggler = await clientOf(shard.primary, cluster);
    await straggler.query('begin; select pg_current_xact_id()');
    const interrupted = cluster.command({ kind: 'failover', to: null, allowDataLoss: false });
    const refused = expect(interrupted).rejects.toThrow('interrupted by a reload');
    await cluster.until('it to begin', () =>
      /switching over/.test(cluster.states[0]?.reason ?? ''),
    );
    await sleep(200);
    await cluster.reconfigure({ partitionMs: 3001 });
    await refused;
    await cluster.until('the old primary', () => cluster.primary(shard) === shard.primary);
    await withSession(shard.primary, cluster.lab.login, (session) =>
      session.query('insert into written values (-1)'),
    );
    await straggler.end();
    await cluster.untilArmed(shard);
    await withSession(shard.primary, cluster.lab.login, async (session) => {
      const { rows } = await session.query('show default_transaction_read_only');
      expect(rows).toEqual([{ default_transaction_read_only: 'off' }]);
    });
  });

  it('tells of servers that flush nothing, until they do', async () => {
    const { cluster, shard } = await startPair({ acceptsOff: [] });
    const alarms = () => cluster.monitor.status().shards[0]?.alarms ?? [];
    expect(alarms()).toEqual(
      shard.nodes.map(({ id }) => `${id}: fsync is off, a crash of its machine loses commits`),
    );
    for (const node of shard.nodes) {
      await withSession(node, cluster.lab.login, async (session) => {
        await session.query('alter system set fsync = on');
        await session.query('select pg_reload_conf()');
      });
    }
    await cluster.until('no alarm', () => alarms().length === 0);
  });

  it('promotes also when the primary died while no monitor ran', async () => {
    const { cluster, shard } = await startPair();
    await cluster.stopMonitor();
    await shard.primary.kill();
    await cluster.startMonitor();
    expect(cluster.primary(shard)).toBe(standbyOf(shard));
    expect(cluster.states[0]?.epoch).toBe(2);
  });

  it('promotes nobody while another pgweave watches the same shard', async () => {
    const { cluster, shard } = await startPair();
    const other = await WatchedCluster.start(cluster.lab);
    const reasons = () =>
      [cluster, other].map((each) => each.monitor.status().shards[0]?.noPromotion);
    const reason = 'another pgweave watches this shard as well';
    await cluster.until('both to have met', () => reasons().every((each) => each === reason));
    await other.stopMonitor();
    await cluster.until('the other one to be gone', () => {
      return cluster.monitor.status().shards[0]?.noPromotion === '';
    });
    await shard.primary.kill();
    await cluster.until('a promotion', () => cluster.primary(shard) === standbyOf(shard));
  });
});

describe('the lock of the settings of a server', () => {
  it('is not for who waited for it and is not wanted any more', async () => {
    const { cluster, shard } = await startPair();
    await cluster.stopMonitor();
    const [node] = cluster.config.nodes.get(shard.name as ShardId) ?? [];
    if (node === undefined) throw new Error('the shard has no node');
    const options = { node, login: controlLogin(cluster.config), timeoutMs: 2000 };
    await withControlConnection(options, async (first) => {
      await lockSettings(first, { clock: systemClock, isWanted: () => true });
      let isWanted = true;
      const second = withControlConnection(options, (session) =>
        lockSettings(session, { clock: systemClock, isWanted: () => isWanted }),
      );
      const refused = expect(second).rejects.toThrow('something else was decided meanwhile');
      await sleep(50);
      isWanted = false;
      await refused;
      expect(await first.query('select 1 as one')).toEqual([{ one: 1 }]);
    });
  });
});

/** A transaction on the standby that reads what the primary drops. */
async function holdUpReplay(cluster: WatchedCluster, shard: LabShard): Promise<Client> {
  const { login } = cluster.lab;
  const onPrimary = (sql: string) =>
    withSession(shard.primary, login, (session) => session.query(sql));
  await onPrimary('set synchronous_commit = remote_apply; create table dropped ()');
  const reader = await clientOf(standbyOf(shard), cluster);
  await reader.query('begin; select from dropped');
  await onPrimary('drop table dropped');
  return reader;
}

/** It may be cut off. */
async function clientOf({ host, port }: PostgresServer, { lab }: WatchedCluster): Promise<Client> {
  const client = new Client({ host, port, database: lab.login.database, user: 'postgres' });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function untilFenced(cluster: WatchedCluster, node: PostgresServer): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const fenced = await withSession(node, cluster.lab.login, async (session) => {
      const { rows } = await session.query<{ names: string }>(
        "select current_setting('synchronous_standby_names') as names",
      );
      return rows[0]?.names === '__fenced__';
    }).catch(() => false);
    if (fenced) return;
    await sleep(25);
  }
  throw new Error(`${node.name} was not fenced:\n${cluster.lines.slice(-20).join('\n')}`);
}
