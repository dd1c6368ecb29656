import { afterEach, describe, expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import type { Failover, NodeId } from '../../src/config/config.ts';
import type { LabShard } from '../../src/lab/lab-shard.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import { startTestCluster } from '../support/lab.ts';
import { WatchedCluster } from '../support/watched-cluster.ts';
import { idsOf, startWriter, writtenSchema } from '../support/watched-writer.ts';

let watched: WatchedCluster | null = null;

afterEach(async () => {
  await watched?.stop();
  watched = null;
});

const rejoin = { file: 'rejoin', timeoutMs: 60_000 };
const notify = { file: 'notify', timeoutMs: 1000 };

async function start(
  standbys: number,
  failover: Partial<Failover> = {},
): Promise<{ cluster: WatchedCluster; shard: LabShard }> {
  const lab = await startTestCluster({ shards: ['a'], standbys, schema: writtenSchema });
  watched = await WatchedCluster.start(lab, failover);
  const shard = lab.shard('a');
  await watched.untilArmed(shard);
  return { cluster: watched, shard };
}

function members(cluster: WatchedCluster): readonly string[] {
  return cluster.monitor.status().shards[0]?.members ?? [];
}

async function primaryOf(cluster: WatchedCluster, shard: LabShard): Promise<PostgresServer> {
  await cluster.until('a primary', () => cluster.primary(shard) !== null);
  const node = cluster.primary(shard);
  if (node === null) throw new Error('no primary');
  return node;
}

async function timelineOfCheckpoint(cluster: WatchedCluster, node: PostgresServer) {
  return await withSession(node, cluster.lab.login, async (session) => {
    return (await session.query('select timeline_id from pg_control_checkpoint()')).rows;
  });
}

describe('failover of a primary with two standbys', () => {
  it('promotes the one that has most, and leads the others to it', async () => {
    const hooks = { fence: null, fenceRequired: false, rejoin, notify };
    const { cluster, shard } = await start(2, { hooks });
    await cluster.until('both to be members', () => members(cluster).length === 2);
    const [, second, third] = shard.nodes;
    const writer = startWriter(cluster, shard);
    await sleep(300);
    await shard.primary.kill();
    await cluster.until('a failover', () => {
      const primary = cluster.primary(shard);
      return primary !== null && primary !== shard.primary;
    });
    const next = await primaryOf(cluster, shard);
    await cluster.untilArmed(shard);
    const other = next === second ? third : second;
    expect(members(cluster)).toEqual([other?.id]);
    const checkpoints: unknown[] = [];
    cluster.beforeHook = async ({ hook }) => {
      if (hook === 'rejoin') checkpoints.push(...(await timelineOfCheckpoint(cluster, next)));
    };
    await shard.primary.start();
    await cluster.until('all three again', () => members(cluster).length === 2, 20_000);
    const acknowledged = await writer.stop();
    expect(acknowledged.length).toBeGreaterThan(20);
    for (const node of shard.nodes) {
      await cluster.until(`${node.name} to have all rows`, () => cluster.role(node) !== 'unknown');
    }
    expect(await idsOf(cluster, next)).toEqual(expect.arrayContaining(acknowledged));
    expect(cluster.journals).toMatchObject([{ cause: 'failure', findings: [], epoch: 2 }]);
    const events = cluster.hookCalls.map(({ hook, event }) => `${hook} ${event}`);
    expect(events).toEqual(expect.arrayContaining(['notify failover', 'rejoin rejoin']));
    expect(events.filter((event) => event === 'rejoin rejoin')).toHaveLength(1);
    // Else pg_rewind would take the primary for what it was before.
    expect(checkpoints).toEqual([{ timeline_id: 2 }]);
  });

  it('hands over as planned, and takes the other standby along', async () => {
    const { cluster, shard } = await start(2, { durability: 'strict' });
    await cluster.until('both to be members', () => members(cluster).length === 2);
    const writer = startWriter(cluster, shard);
    await sleep(200);
    const [, second, third] = shard.nodes;
    await cluster.command({ kind: 'switchover', to: (third?.id ?? '') as NodeId });
    expect(cluster.primary(shard)).toBe(third);
    await cluster.until('the other to follow', () => members(cluster)[0] === second?.id);
    await sleep(200);
    const acknowledged = await writer.stop();
    if (third === undefined) throw new Error('no third node');
    expect(await idsOf(cluster, third)).toEqual(expect.arrayContaining(acknowledged));
    expect(cluster.role(shard.primary)).toBe('quarantined');
  });

  it('stays down when the last commit may be on a standby that is lost as well', async () => {
    const { cluster, shard } = await start(2);
    await cluster.until('both to be members', () => members(cluster).length === 2);
    const [first, second, third] = shard.nodes;
    await Promise.all([first?.kill(), third?.kill()]);
    await cluster.until('a reason', () =>
      /1 of 2 standbys are usable/.test(cluster.states[0]?.reason ?? ''),
    );
    await sleep(1500);
    expect(cluster.primary(shard)).toBeNull();
    await third?.start();
    await cluster.until('a failover', () => cluster.primary(shard) !== null);
    expect([second, third]).toContain(cluster.primary(shard));
  });

  it('goes on with the one standby that is left, armed all the time', async () => {
    const { cluster, shard } = await start(2);
    await cluster.until('both to be members', () => members(cluster).length === 2);
    const [, second, third] = shard.nodes;
    const writer = startWriter(cluster, shard);
    await third?.kill();
    await cluster.until('one member', () => members(cluster).length === 1);
    expect(cluster.durability(shard)).toBe('armed');
    await shard.primary.kill();
    await cluster.until('a failover', () => cluster.primary(shard) === second);
    const acknowledged = await writer.stop();
    if (second === undefined) throw new Error('no second node');
    expect(await idsOf(cluster, second)).toEqual(expect.arrayContaining(acknowledged));
  });
});

describe('an operator', () => {
  it('pauses automatic failover over a restart of pgweave, and resumes it', async () => {
    const { cluster, shard } = await start(1);
    await cluster.command({ kind: 'pause' });
    await cluster.stopMonitor();
    await cluster.startMonitor();
    await cluster.untilArmed(shard);
    await shard.primary.kill();
    await cluster.until('the reason', () => /is paused/.test(cluster.states[0]?.reason ?? ''));
    await sleep(1000);
    expect(cluster.primary(shard)).toBeNull();
    await cluster.command({ kind: 'resume' });
    await cluster.until('a failover', () => cluster.primary(shard) === shard.standby);
  });
});

describe('strict mode', () => {
  it('lets no commit through without a standby', async () => {
    const { cluster, shard } = await start(1, { durability: 'strict' });
    await shard.standby?.kill();
    await sleep(2500);
    expect(cluster.durability(shard)).toBe('armed');
    const login = cluster.lab.login;
    const answer = withSession(shard.primary, login, async (session) => {
      await session.query('insert into written values (1)');
      return 'acknowledged';
    }).catch(() => 'cut');
    expect(await Promise.race([answer, sleep(1500).then(() => 'waits')])).toBe('waits');
    await shard.standby?.start();
    expect(await answer).toBe('acknowledged');
  });
});

describe('async mode', () => {
  it('lets commits wait for nobody, and promotes a standby that is near enough', async () => {
    const { cluster, shard } = await start(1);
    await cluster.stopMonitor();
    const config = { ...cluster.config.failover, durability: 'async' as const };
    await cluster.startMonitor(config);
    await cluster.until('async', () => cluster.durability(shard) === 'async');
    await cluster.until('no names', async () => {
      const { rows } = await withSession(shard.primary, cluster.lab.login, (session) =>
        session.query("select current_setting('synchronous_standby_names') as names"),
      );
      return rows[0]?.names === '';
    });
    await shard.primary.kill();
    await cluster.until('a failover', () => cluster.primary(shard) === shard.standby);
  });
});

describe('a shard that somebody else fails over', () => {
  it('is followed: held while it has no primary, routed to the new one, never promoted', async () => {
    const lab = await startTestCluster({ shards: ['a'], standbys: 1 });
    watched = await WatchedCluster.start(lab, {}, ['a']);
    const shard = lab.shard('a');
    await watched.until('the primary', () => watched?.primary(shard) === shard.primary);
    await shard.primary.kill();
    await watched.until('a hold', () => watched?.primary(shard) === null);
    await sleep(1500);
    expect(watched.primary(shard)).toBeNull();
    if (shard.standby === null) throw new Error('no standby');
    await withSession(shard.standby, lab.login, (session) => session.query('select pg_promote()'));
    await watched.until('the new primary', () => watched?.primary(shard) === shard.standby);
    expect(watched.states[0]?.epoch).toBe(2);
    await shard.primary.start();
    await sleep(500);
    // On its old timeline it is no match for the new one.
    expect(watched.primary(shard)).toBe(shard.standby);
  });
});
