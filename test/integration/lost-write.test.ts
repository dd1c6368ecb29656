import type { Client } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import { ChaosWorld } from '../chaos/chaos-world.ts';

// failover.resolve_writes: what is written outside of a block is found out, too, when its answer is lost.
let world: ChaosWorld;
let client: Client;
let nextId = 1;

beforeAll(async () => {
  world = await ChaosWorld.start({
    standbys: 1,
    durability: 'sync',
    // Longer than any test: commits wait for a standby that hangs.
    failover: 'degrade_after: 30s, resolve_writes: true',
  });
});

afterAll(async () => {
  await world?.stop();
});

beforeEach(async () => {
  await client?.end();
  await world.restore();
  client = await world.served.connect();
});

/** Begins a write and resolves when its commit waits for the standby. */
async function startWrite(primary: PostgresServer, kind: 'simple' | 'extended') {
  const id = nextId++;
  const answer =
    kind === 'simple'
      ? client.query(`insert into entry values (${id}, 'written') returning id, epoch`)
      : client.query('insert into entry values ($1, $2) returning id, epoch', [id, 'written']);
  // Whoever asks for it is told; until then it is not unhandled.
  answer.catch(() => {});
  await world.served.until('the commit to wait', () => isWaiting(primary));
  return { id, answer };
}

async function isWaiting(node: PostgresServer): Promise<boolean> {
  return await withSession(node, world.served.lab.login, async (session) => {
    const { rowCount } = await session.query(
      "select from pg_stat_activity where usename = 'app' and wait_event = 'SyncRep'",
    );
    return rowCount === 1;
  });
}

const waitingForLock =
  "select pid from pg_stat_activity where usename = 'app' and wait_event_type = 'Lock'";

/** A write that waits for a lock of this session, which is in a block now. */
async function startBehindLock(session: Client, id: number) {
  await session.query('begin; lock table entry in access exclusive mode');
  const answer = client.query(`insert into entry values (${id}, 'written') returning id`);
  answer.catch(() => {});
  const isWaiting = async () => {
    await session.query('select pg_stat_clear_snapshot()');
    return (await session.query(waitingForLock)).rowCount === 1;
  };
  await world.served.until('the write to wait', isWaiting);
  return { answer, isWaiting };
}

async function epochsOf(id: number): Promise<readonly number[]> {
  const { rows } = await client.query(`select epoch from entry where id = ${id}`);
  return rows.map(({ epoch }) => epoch);
}

async function standbyOf(): Promise<PostgresServer> {
  const [standby] = await world.standbys();
  if (standby === undefined) throw new Error('no standby');
  return standby;
}

describe.each(['simple', 'extended'] as const)('a lost write (%s)', (kind) => {
  it('is answered when the standby that is promoted has it', async () => {
    const primary = await world.primary();
    const standby = await standbyOf();
    await standby.pause();
    const { id, answer } = await startWrite(primary, kind);
    await primary.kill();
    await standby.resume();
    const { command, rows } = await answer;
    expect([command, rows[0]?.id]).toEqual(['INSERT', id]);
    expect(await epochsOf(id)).toEqual([rows[0]?.epoch]);
    expect(await world.primary()).toBe(standby);
  });

  it('is run again when that one never got it', async () => {
    const primary = await world.primary();
    const standby = await standbyOf();
    const { epoch } = await world.record();
    await world.upstream(standby).set({ kind: 'black-hole' });
    const { id, answer } = await startWrite(primary, kind);
    await primary.kill();
    await world.upstream(standby).set({ kind: 'cut' });
    const { rows } = await answer;
    expect(rows[0]?.epoch).toBeGreaterThan(epoch);
    expect(await epochsOf(id)).toEqual([rows[0]?.epoch]);
  });
});

describe('a write that never came to its COMMIT', () => {
  it('is run again when its server says goodbye', async () => {
    const id = nextId++;
    await withSession(await world.primary(), world.served.lab.login, async (session) => {
      const lock = await startBehindLock(session, id);
      await session.query(`select pg_terminate_backend(pid, 1000) from (${waitingForLock}) w`);
      await world.served.until('the write to wait again', lock.isWaiting);
      await session.query('commit');
      expect((await lock.answer).rows).toEqual([{ id }]);
    });
    expect(await epochsOf(id)).toHaveLength(1);
  });

  it('is run again when nothing of it came anywhere', async () => {
    const primary = await world.primary();
    const { epoch } = await world.record();
    const id = nextId++;
    // A connection to send it on.
    await client.query('select from entry limit 1');
    await world.front(primary).set({ kind: 'black-hole' });
    const answer = client.query(`insert into entry values (${id}, 'written') returning epoch`);
    await primary.kill();
    expect((await answer).rows[0]?.epoch).toBeGreaterThan(epoch);
    expect(await epochsOf(id)).toHaveLength(1);
  });

  it('is run again when all processes of its server crash', async () => {
    const id = nextId++;
    const primary = await world.primary();
    const { login } = world.served.lab;
    await withSession(primary, login, async (session) => {
      const lock = await startBehindLock(session, id);
      // So that the ID is not given out again.
      await withSession(primary, login, (other) => other.query('checkpoint'));
      const { rows } = await session.query(
        "select pid from pg_stat_activity where backend_type = 'background writer'",
      );
      process.kill(rows[0].pid, 'SIGKILL');
      expect((await lock.answer).rows).toEqual([{ id }]);
    });
    expect(await epochsOf(id)).toHaveLength(1);
  });
});

describe('a write whose commit waits when a switchover begins that is given up', () => {
  it('is answered by the primary that went on', async () => {
    const primary = await world.primary();
    const { epoch } = await world.record();
    const link = world.upstream(await standbyOf());
    await link.set({ kind: 'black-hole' });
    const { id, answer } = await startWrite(primary, 'extended');
    await expect(world.served.console('switchover a')).rejects.toMatchObject({ code: '55000' });
    await link.set({ kind: 'cut' });
    await link.set({ kind: 'pass' });
    expect((await answer).rows).toEqual([{ id, epoch }]);
    expect(await world.primary()).toBe(primary);
    expect((await world.record()).epoch).toBeGreaterThan(epoch);
  });
});

describe('a write that nothing happens to', () => {
  it('is answered as ever', async () => {
    const id = nextId++;
    const insert = (note: string) =>
      client.query(`insert into entry values (${id}, '${note}') returning note`);
    expect((await insert('one')).rows).toEqual([{ note: 'one' }]);
    await expect(insert('two')).rejects.toMatchObject({ code: '23505' });
    const none = await client.query('update entry set note = $1 where id = $2', ['x', -1]);
    expect([none.command, none.rowCount]).toEqual(['UPDATE', 0]);
    const { rows } = await client.query({
      name: 'touch',
      text: 'update entry set note = $2 where id = $1 returning note',
      values: [id, 'three'],
    });
    expect(rows).toEqual([{ note: 'three' }]);
    expect((await client.query('select pg_current_xact_id_if_assigned() as xid')).rows).toEqual([
      { xid: null },
    ]);
  });

  it.each(['simple', 'extended'])(
    'is known by the values it took of sequences (%s)',
    async (kind) => {
      await client.query('create table counted (n serial primary key, note text)');
      const values = kind === 'simple' ? [] : ['x'];
      const note = kind === 'simple' ? "'x'" : '$1';
      const { rows } = await client.query(
        `insert into counted (note) values (${note}) returning n`,
        values,
      );
      const taken = await client.query(
        "select currval('counted_n_seq')::int as n, lastval()::int as last",
      );
      await client.query('drop table counted');
      expect(taken.rows).toEqual([{ n: rows[0]?.n, last: rows[0]?.n }]);
    },
  );

  it('may return more than is kept back', async () => {
    const id = nextId++;
    const { rows } = await client.query(
      `insert into entry values (${id}, repeat('x', 300000)) returning note`,
    );
    expect(rows[0]?.note).toHaveLength(300_000);
  });

  it('fails with the error of a constraint that is checked at the end, and is not done', async () => {
    const login = world.served.lab.login;
    await withSession(await world.primary(), login, (session) =>
      session.query(`set role app;
        create function refuse() returns trigger language plpgsql as
          $$ begin raise exception 'too late' using errcode = '23514'; end $$;
        create constraint trigger late after insert on entry deferrable initially deferred
          for each row when (new.note = 'late') execute function refuse()`),
    );
    const id = nextId++;
    const write = client.query(`insert into entry values (${id}, 'late') returning id`);
    await expect(write).rejects.toMatchObject({ code: '23514', message: 'too late' });
    expect(await epochsOf(id)).toEqual([]);
    await withSession(await world.primary(), login, (session) =>
      session.query('drop trigger late on entry; drop function refuse'),
    );
  });
});
