import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import { readSchemaObjects } from '../../src/cluster/drift/schema-objects.ts';
import { withSession } from '../../src/lab/sql.ts';
import { Load } from '../support/load.ts';
import type { ServedCluster } from '../support/served-cluster.ts';
import type { Tap } from '../support/tapped-relay.ts';
import { borderId, certainlyNot } from './commit-tables.ts';
import { CommitWorld, type ShardName } from './commit-world.ts';

/** `near`: the primary that the statement is for; `far`: that of the other shard. */
type Victim = 'link' | 'workers' | 'all' | 'near' | 'far';
type Row = { readonly [column: string]: unknown };

const waitMs = 30_000;
const firstId = 50_000;
let world: CommitWorld;
let served: ServedCluster;
let columns = 0;

beforeAll(async () => {
  world = await CommitWorld.start(['counted: { distribution: by_id, key: id }']);
  served = world.served;
});

beforeEach(() => world.restore());

afterAll(async () => {
  await world?.stop();
});

async function ask(shard: ShardName, sql: string): Promise<readonly Row[]> {
  return await world.ask(await world.primary(shard), sql);
}

async function schemaOf(shard: ShardName): Promise<string> {
  return await withSession(await world.primary(shard), served.lab.login, async (session) => {
    await session.query('set search_path to pg_catalog');
    const query = async (sql: string, values: readonly string[]) =>
      (await session.query(sql, [...values])).rows;
    return JSON.stringify(await readSchemaObjects({ query }, []), null, 1);
  });
}

/** Also not so while a shard has no primary, or pgweave does not run. */
async function isNothingPrepared(): Promise<boolean> {
  const found = Promise.all([ask('a', preparedSql), ask('b', preparedSql)]);
  return await found.then(
    (rows) => rows.flat().length === 0,
    () => false,
  );
}

const preparedSql = 'select from pg_prepared_xacts';

async function kill(victim: Exclude<Victim, 'link'>, shard: ShardName): Promise<void> {
  switch (victim) {
    case 'near':
      return await (await world.primary(shard)).kill();
    case 'far':
      return await (await world.primary(shard === 'a' ? 'b' : 'a')).kill();
    default:
      return await world.killProxy(victim);
  }
}

/**
 * Kills, or only cuts the link, when the shard is sent the statement; the proxy runs afterwards. Resolves
 * with what the client was told: null for success, else the SQLSTATE.
 */
async function strike(
  shard: ShardName,
  tap: Pick<Tap, 'matches' | 'when'>,
  victim: Victim,
  act: () => Promise<unknown>,
): Promise<string | null> {
  const relay = world.relay(await world.primary(shard));
  let isHit = false;
  relay.tap = {
    ...tap,
    async hit() {
      if (victim !== 'link') await kill(victim, shard);
      isHit = true;
    },
  };
  const acting = act().then(
    () => null,
    ({ code = '' }: { code?: string }) => code,
  );
  await served.until('the statement to be sent', () => isHit, waitMs);
  const told = await acting;
  if (victim === 'all') await served.restart();
  await served.until('nothing to be prepared', isNothingPrepared, waitMs);
  return told;
}

/** What a client may do now, again and again until the workers are there. */
async function throughProxy(sql: string): Promise<readonly Row[]> {
  let rows: readonly Row[] = [];
  await served.until(
    'an answer',
    async () => {
      try {
        const client = await served.connect();
        rows = (await client.query(sql).finally(() => client.end())).rows;
        return true;
      } catch (error) {
        return (error as { code?: string }).code === '42703';
      }
    },
    waitMs,
  );
  return rows;
}

async function runAlone(sql: string): Promise<void> {
  const client = await served.connect();
  await client.query(sql).finally(() => client.end());
}

describe('DDL over all shards', () => {
  it.each([
    ['the statement itself', 'b', /^alter table/, 'sent', 'all'],
    ['PREPARE', 'b', /^PREPARE TRANSACTION/, 'answered', 'all'],
    ['the decision', 'a', /^COMMIT$/, 'sent', 'link'],
    ['the decision', 'a', /^COMMIT$/, 'answered', 'all'],
    ['COMMIT PREPARED', 'b', /^COMMIT PREPARED/, 'unsent', 'all'],
    ['COMMIT PREPARED', 'b', /^COMMIT PREPARED/, 'answered', 'workers'],
    ['the statement itself', 'b', /^alter table/, 'sent', 'near'],
    ['the statement itself', 'b', /^alter table/, 'answered', 'far'],
    ['PREPARE', 'b', /^PREPARE TRANSACTION/, 'sent', 'near'],
    ['PREPARE', 'b', /^PREPARE TRANSACTION/, 'answered', 'far'],
    ['the decision', 'a', /^COMMIT$/, 'sent', 'near'],
    ['the decision', 'a', /^COMMIT$/, 'answered', 'far'],
    ['COMMIT PREPARED', 'b', /^COMMIT PREPARED/, 'unsent', 'near'],
  ] as const)('is whole or not there when at %s on %s (%s, %s) it ends: %s', async (...row) => {
    const [, shard, pattern, when, victim] = row;
    columns += 1;
    const name = `c${columns}`;
    const id = firstId + columns;
    const tap: Pick<Tap, 'matches' | 'when'> = { matches: (text) => pattern.test(text), when };
    const told = await strike(shard, tap, victim, () =>
      runAlone(`alter table entry add column ${name} int default ${columns}`),
    );
    expect(await schemaOf('b')).toBe(await schemaOf('a'));
    const isThere = (await schemaOf('a')).includes(`entry.${name}"`);
    if (told === null) expect(isThere).toBe(true);
    if (told !== null && certainlyNot.includes(told)) expect(isThere).toBe(false);
    await throughProxy(`insert into entry (id, balance) values (${id}, 0), (${borderId + id}, 0)`);
    const seen = await throughProxy(`select ${name} from entry where id = ${id}`);
    expect(seen).toEqual(isThere ? [{ [name]: columns }] : []);
    expect(await served.console('show drift')).toEqual([]);
  });

  it('outside of a transaction is half done when a primary dies, shown, and mended', async () => {
    const make = 'create index concurrently by_balance on entry (balance)';
    const tap: Pick<Tap, 'matches' | 'when'> = {
      matches: (text) => /^create index concurrently/.test(text),
      when: 'unsent',
    };
    // The home shard has had it before.
    expect(await strike('b', tap, 'near', () => runAlone(make))).not.toBeNull();
    const drift = await served.console('show drift');
    expect(drift.map(({ kind, name, shards }) => [kind, name, shards])).toEqual([
      ['index', 'public.by_balance', 'b'],
    ]);
    await runAlone('drop index concurrently if exists by_balance');
    await runAlone(make);
    expect(await served.console('show drift')).toEqual([]);
    await runAlone('drop index concurrently by_balance');
  });

  it('is done by one session after the other, and beside writes', async () => {
    const write = async (client: Awaited<ReturnType<ServedCluster['connect']>>, id: number) => {
      await client.query(
        `begin; insert into entry (id, balance) values (${id}, 0), (${borderId + id}, 0)`,
      );
      await client.query(`update entry set balance = 7 where id in (${id}, ${borderId + id})`);
      await client.query('commit');
      // Deadlocks with those who alter the table are found, but take a second each.
      await sleep(50);
    };
    const writers = [100_000].map((id) => new Load(() => served.connect(), id, write));
    const changes = [0, 1].map(
      (index) =>
        new Load(
          () => served.connect(),
          1 + index * 1_000,
          async (client, id) => {
            await client.query(`alter table entry add column x${id} int`);
            await client.query(
              `begin; alter table entry drop column x${id}; create index on entry (balance)`,
            );
            await client.query(id % 2 === 0 ? 'commit' : 'rollback');
            if (id % 2 === 1) await client.query(`alter table entry drop column x${id}`);
            else await client.query('drop index entry_balance_idx');
          },
        ),
    );
    await served.until('changes', () => changes.every(({ count }) => count >= 2), 2 * waitMs);
    const changed = await Load.stopAll(changes);
    const written = await Load.stopAll(writers);
    // Two that change the index at once may find it gone, and writers may meet them in a deadlock.
    const unexpected = [...changed.errors, ...written.errors].filter(
      ([code]) => !['42704', '40P01', '42P07'].includes(code),
    );
    expect(unexpected).toEqual([]);
    expect(written.written.length).toBeGreaterThan(0);
    expect(await schemaOf('b')).toBe(await schemaOf('a'));
    const ids = written.written.map(({ id }) => id);
    for (const [shard, first] of [
      ['a', 0],
      ['b', borderId],
    ] as const) {
      const rows = await ask(shard, 'select id from entry where balance = 7');
      const there = new Set(rows.map(({ id }) => Number(id) - first));
      expect(ids.filter((id) => !there.has(id))).toEqual([]);
    }
  }, 120_000);
});

describe('the adjustment of sequences', () => {
  it.each([
    ['decide', 'a', /^commit$/, 'sent'],
    ['commit', 'b', /^commit prepared/, 'unsent'],
  ] as const)('is finished by the next proxy when this one dies: %s', async (...row) => {
    const [, shard, pattern, when] = row;
    for (const each of ['a', 'b'] as const) {
      await ask(each, 'drop table if exists counted');
      await ask(each, 'create table counted (id int primary key, n serial)');
      await ask(each, 'alter table counted owner to app');
    }
    // The supervisor finds them by itself.
    await strike(shard, { matches: (text) => pattern.test(text), when }, 'all', async () => {});
    const places = async () => {
      const sql = `select seqincrement::int as step, (seqstart % seqincrement)::int as place
        from pg_sequence where seqrelid = 'counted_n_seq'::regclass`;
      return (await Promise.all([ask('a', sql), ask('b', sql)])).flat();
    };
    await served.until(
      'sequences to take turns',
      async () => {
        const [first, second] = await places();
        return Number(first?.['step']) > 1 && first?.['place'] !== second?.['place'];
      },
      waitMs,
    );
    expect(await isNothingPrepared()).toBe(true);
  });
});
