import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.ts';
import { readSchemaObjects } from '../../src/cluster/drift/schema-objects.ts';
import { findFreePorts } from '../../src/lab/free-port.ts';
import { pidTree, signalAll } from '../../src/lab/pid-tree.ts';
import { withSession } from '../../src/lab/sql.ts';
import { Load } from '../support/load.ts';
import { ServedCluster } from '../support/served-cluster.ts';
import { type Tap, TappedRelay } from '../support/tapped-relay.ts';

type Shard = 'a' | 'b';
type Row = { readonly [column: string]: unknown };

const waitMs = 30_000;
const relays = new Map<string, TappedRelay>();
let served: ServedCluster;
let columns = 0;

beforeAll(async () => {
  served = await ServedCluster.start({
    shards: ['a', 'b'],
    schema: 'create table entry (id int primary key, note text)',
    tables: ['counted: { distribution: by_id, key: id }'],
    prepare: async ({ shards }) => {
      const ports = [...(await findFreePorts(shards.length))];
      for (const { name, primary } of shards) {
        relays.set(name, await TappedRelay.start(ports.pop() ?? 0, primary.port));
      }
      const linkTo = new Map(shards.map(({ name, primary }) => [primary, relays.get(name)]));
      return (node) => `127.0.0.1:${linkTo.get(node)?.port}`;
    },
  });
});

afterAll(async () => {
  await served?.stop();
  for (const relay of relays.values()) await relay.stop();
});

async function ask(shard: Shard, sql: string): Promise<readonly Row[]> {
  const { primary } = served.lab.shard(shard);
  return await withSession(primary, served.lab.login, async (session) => {
    return (await session.query(sql)).rows;
  });
}

async function schemaOf(shard: Shard): Promise<string> {
  const { primary } = served.lab.shard(shard);
  return await withSession(primary, served.lab.login, async (session) => {
    await session.query('set search_path to pg_catalog');
    const query = async (sql: string, values: readonly string[]) =>
      (await session.query(sql, [...values])).rows;
    return JSON.stringify(await readSchemaObjects({ query }, []), null, 1);
  });
}

async function preparedCount(): Promise<number> {
  const found = await Promise.all([ask('a', preparedSql), ask('b', preparedSql)]);
  return found.flat().length;
}

const preparedSql = 'select from pg_prepared_xacts';

/** Kills, or only cuts the link, when the shard is sent the statement; the proxy runs afterwards. */
async function strike(
  shard: Shard,
  tap: Pick<Tap, 'matches' | 'when'>,
  victim: 'link' | 'workers' | 'all',
  act: () => Promise<unknown>,
): Promise<void> {
  const relay = relays.get(shard);
  if (relay === undefined) throw new Error(`no link to ${shard}`);
  let isHit = false;
  relay.tap = {
    ...tap,
    async hit() {
      const [supervisor = 0, ...workers] = await pidTree(served.run.pid);
      if (victim === 'workers') signalAll(workers, 'SIGKILL');
      else if (victim === 'all') signalAll([supervisor, ...workers], 'SIGKILL');
      isHit = true;
    },
  };
  const acting = act().catch(() => {});
  await served.until('the statement to be sent', () => isHit, waitMs);
  await acting;
  if (victim === 'all') await served.restart();
  await served.until('nothing to be prepared', async () => (await preparedCount()) === 0, waitMs);
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

describe('DDL over all shards', () => {
  it.each([
    ['the statement itself', 'b', /^alter table/, 'sent', 'all'],
    ['PREPARE', 'b', /^PREPARE TRANSACTION/, 'answered', 'all'],
    ['the decision', 'a', /^COMMIT$/, 'sent', 'link'],
    ['the decision', 'a', /^COMMIT$/, 'answered', 'all'],
    ['COMMIT PREPARED', 'b', /^COMMIT PREPARED/, 'unsent', 'all'],
    ['COMMIT PREPARED', 'b', /^COMMIT PREPARED/, 'answered', 'workers'],
  ] as const)('is whole or not there when at %s on %s (%s, %s) it ends: %s', async (...row) => {
    const [, shard, pattern, when, victim] = row;
    columns += 1;
    const name = `c${columns}`;
    const sql = `alter table entry add column ${name} int default ${columns}`;
    await strike(shard, { matches: (text) => pattern.test(text), when }, victim, async () => {
      const client = await served.connect();
      await client.query(sql).finally(() => client.end());
    });
    expect(await schemaOf('b')).toBe(await schemaOf('a'));
    const isThere = (await schemaOf('a')).includes(`entry.${name}"`);
    await throughProxy(`insert into entry (id) values (${columns}), (${1_000_000 + columns})`);
    const seen = await throughProxy(`select ${name} from entry where id = ${columns}`);
    expect(seen).toEqual(isThere ? [{ [name]: columns }] : []);
  });

  it('is done by one session after the other, and beside writes', async () => {
    const write = async (client: Awaited<ReturnType<ServedCluster['connect']>>, id: number) => {
      await client.query(`begin; insert into entry (id) values (${id}), (${1_000_000 + id})`);
      await client.query(`update entry set note = 'x' where id in (${id}, ${1_000_000 + id})`);
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
              `begin; alter table entry drop column x${id}; create index on entry (note)`,
            );
            await client.query(id % 2 === 0 ? 'commit' : 'rollback');
            if (id % 2 === 1) await client.query(`alter table entry drop column x${id}`);
            else await client.query('drop index entry_note_idx');
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
      ['b', 1_000_000],
    ] as const) {
      const rows = await ask(shard, "select id from entry where note = 'x'");
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
    expect(await preparedCount()).toBe(0);
  });
});
