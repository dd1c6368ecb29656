import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';

// Shard a has the ids from 0, b those from 1000000, c those from 2000000.
const schema = `${entrySchema};
  create function refuse() returns trigger language plpgsql as $$
    begin
      if new.note = 'late' then raise exception 'too late' using errcode = '23514'; end if;
      if new.note = 'loud' then raise notice 'at the end'; end if;
      if new.note = 'tell' then perform pg_notify('news', 'x'); end if;
      return null;
    end $$;
  create constraint trigger refused after insert or update on entry
    deferrable initially deferred for each row execute function refuse()`;

let served: ServedCluster;
const open: Client[] = [];

async function connect(options: Parameters<ServedCluster['connect']>[0] = {}): Promise<Client> {
  const client = await served.connect(options);
  open.push(client);
  return client;
}

async function notes(): Promise<readonly string[]> {
  const client = await connect();
  const { rows } = await client.query('select id, note from entry order by id');
  return rows.map(({ id, note }) => `${id} ${note}`);
}

/** On the server itself. */
async function ask(
  shard: string,
  sql: string,
): Promise<readonly { readonly [c: string]: unknown }[]> {
  const { primary } = served.lab.shard(shard);
  return await withSession(primary, served.lab.login, async (session) => {
    const { rows } = await session.query(sql);
    return rows;
  });
}

async function prepared(): Promise<number> {
  let count = 0;
  for (const { name } of served.lab.shards) {
    count += (await ask(name, 'select gid from pg_prepared_xacts')).length;
  }
  return count;
}

const both = `
  insert into entry values (1, 'one');
  insert into entry values (1000001, 'two')`;

beforeAll(async () => {
  served = await ServedCluster.start({ shards: ['a', 'b', 'c'], schema });
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.end()));
  await served.untilIdle();
  expect(await prepared()).toBe(0);
  for (const { name } of served.lab.shards) await ask(name, 'truncate entry');
});

afterAll(async () => {
  await served?.stop();
});

describe('a transaction over two shards', () => {
  it('is committed on both', async () => {
    const client = await connect();
    await client.query('begin');
    await client.query("insert into entry values (1, 'one')");
    await client.query('insert into entry values ($1, $2)', [1_000_001, 'two']);
    expect(await notes()).toEqual([]);
    const { command } = await client.query('commit');
    expect(command).toBe('COMMIT');
    expect(await notes()).toEqual(['1 one', '1000001 two']);
  });

  it('is committed on both when its statements come in one message', async () => {
    const client = await connect();
    await client.query(both);
    expect(await notes()).toEqual(['1 one', '1000001 two']);
  });

  it('is rolled back on both', async () => {
    const client = await connect();
    await client.query(`begin; ${both}`);
    await client.query('rollback');
    expect(await notes()).toEqual([]);
  });

  it('is rolled back on all when its client goes', async () => {
    const client = await served.connect();
    await client.query(`begin; ${both}`);
    await client.end();
    await served.untilIdle();
    expect(await notes()).toEqual([]);
  });

  it.each([
    ['the shard that decides', 1],
    ['another shard', 1_000_001],
  ])('is rolled back when %s refuses it at the end', async (_, id) => {
    const client = await connect();
    await client.query(`begin; ${both}`);
    await client.query("insert into entry values ($1, 'late')", [id + 1]);
    await expect(client.query('commit')).rejects.toMatchObject({
      code: '23514',
      message: 'too late',
    });
    expect(await notes()).toEqual([]);
    await client.query(both);
    expect(await notes()).toHaveLength(2);
  });

  it('says what cannot be prepared', async () => {
    const client = await connect();
    const notices: string[] = [];
    client.on('notice', ({ message }) => notices.push(String(message)));
    await client.query(`begin; ${both}; insert into entry values (1000002, 'tell')`);
    await expect(client.query('commit')).rejects.toMatchObject({ code: '0A000' });
    expect(notices).toEqual([]);
    expect(await notes()).toEqual([]);
    // The deciding shard may.
    await client.query(`begin; insert into entry values (2, 'tell'); ${both}`);
    await client.query('commit');
    expect(await notes()).toHaveLength(3);
  });

  it('passes on what servers say at the end', async () => {
    const client = await connect();
    const notices: string[] = [];
    client.on('notice', ({ message }) => notices.push(String(message)));
    await client.query(
      `begin; ${both}; insert into entry values (1000002, 'loud'), (1000003, 'loud')`,
    );
    expect(notices).toEqual([]);
    await client.query('commit');
    expect(notices).toEqual(['at the end', 'at the end']);
  });

  it('has savepoints on both', async () => {
    const client = await connect();
    await client.query("begin; insert into entry values (1, 'one')");
    await client.query('savepoint s');
    await client.query("insert into entry values (1000001, 'two')");
    await client.query("update entry set note = 'changed' where id = 1");
    await client.query('rollback to s');
    await client.query("insert into entry values (1000001, 'again')");
    await client.query('release s');
    await client.query('commit');
    expect(await notes()).toEqual(['1 one', '1000001 again']);
  });

  it('fails as a whole when one statement fails', async () => {
    const client = await connect();
    await client.query(`begin; ${both}`);
    await expect(
      client.query("insert into entry values (2000000, 'x'), (2000000, 'x')"),
    ).rejects.toMatchObject({ code: '23505' });
    expect((await client.query('commit')).command).toBe('ROLLBACK');
    expect(await notes()).toEqual([]);
  });

  it('keeps what it has set, and leaks nothing into other sessions', async () => {
    const client = await connect();
    await client.query("begin; set application_name to 'kept'; set local work_mem to '65kB'");
    await client.query(both);
    await client.query('commit');
    const show = async (session: Client, id: number) => {
      const { rows } = await session.query(
        `select current_setting('application_name') as name, current_setting('work_mem') as memory
          from entry where id = ${id}`,
      );
      return rows;
    };
    for (const id of [1, 1_000_001]) {
      expect(await show(client, id)).toEqual([{ name: 'kept', memory: '4MB' }]);
    }
    const other = await connect();
    for (const id of [1, 1_000_001]) {
      expect(await show(other, id)).toMatchObject([{ memory: '4MB' }]);
    }
    await client.query("begin; set application_name to 'undone'");
    await client.query("update entry set note = 'late' where id = 1");
    await client.query("update entry set note = 'x' where id = 1000001");
    await expect(client.query('commit')).rejects.toMatchObject({ code: '23514' });
    for (const id of [1, 1_000_001]) {
      expect(await show(client, id)).toEqual([{ name: 'kept', memory: '4MB' }]);
    }
  });

  it('commits for another role', async () => {
    for (const { name } of served.lab.shards) {
      await ask(name, 'create role clerk; grant clerk to app; grant all on entry to clerk');
    }
    const client = await connect();
    await client.query(`begin; set role clerk; ${both}`);
    await client.query('commit');
    await client.query('begin; set local role clerk');
    await client.query("update entry set note = 'x' where id = 1");
    await client.query("update entry set note = 'x' where id = 1000001");
    await client.query('commit');
    expect(await notes()).toEqual(['1 x', '1000001 x']);
  });

  it('decides for nobody else', async () => {
    const client = await connect();
    const insert = "insert into pgweave.decision (id, decided_by) values ('x', 'postgres')";
    await expect(client.query(insert)).rejects.toMatchObject({ code: '42501' });
    await expect(client.query('select * from pgweave.decision')).rejects.toMatchObject({
      code: '42501',
    });
  });
});

describe('transactions that wait for each other over shards', () => {
  const update = (id: number) => `update entry set note = note || '!' where id = ${id}`;

  async function begun(id: number): Promise<Client> {
    const client = await connect();
    await client.query('begin');
    await client.query(update(id));
    return client;
  }

  it('are told apart: the later one fails with 40P01, the other one goes on', async () => {
    await (await connect()).query(both);
    const first = await begun(1);
    const second = await begun(1_000_001);
    const waiting = first.query(update(1_000_001));
    await expect(second.query(update(1))).rejects.toMatchObject({
      code: '40P01',
      message: 'deadlock detected',
    });
    expect((await second.query('commit')).command).toBe('ROLLBACK');
    await waiting;
    await first.query('commit');
    expect(await notes()).toEqual(['1 one!', '1000001 two!']);
  });

  it('are told apart in a chain over three shards, with statements over several of them', async () => {
    const setup = await connect();
    await setup.query(`${both}; insert into entry values (2000001, 'three')`);
    const first = await begun(1);
    const second = await begun(1_000_001);
    const third = await begun(2_000_001);
    const all = "update entry set note = note || '?' where note <> 'x'";
    const results = await Promise.allSettled([
      first.query(update(1_000_001)),
      second.query(update(2_000_001)).finally(() => second.query('commit')),
      third.query(all),
    ]);
    // Nobody had to wait for the third one's ROLLBACK.
    expect(results).toMatchObject([
      { status: 'fulfilled' },
      { status: 'fulfilled' },
      { status: 'rejected', reason: { code: '40P01' } },
    ]);
    await first.query('commit');
    expect((await third.query('commit')).command).toBe('ROLLBACK');
    expect(await notes()).toEqual(['1 one!', '1000001 two!!', '2000001 three!']);
  });

  it('are left alone as long as they only wait', async () => {
    await (await connect()).query(both);
    const first = await begun(1);
    const second = await begun(1_000_001);
    const third = await begun(2);
    const waiting = [second.query(update(1)), third.query(update(1_000_001))];
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    await first.query('commit');
    await waiting[0];
    await second.query('commit');
    await waiting[1];
    await third.query('commit');
    expect(await notes()).toEqual(['1 one!!', '1000001 two!!']);
  });
});

describe('a transaction that nobody can decide any more', () => {
  const id = 'pgweave/gone/00000000deadbeef/1';

  it('is shown, and ended by an operator', async () => {
    const { host, port } = served.lab.shard('b').primary;
    const owner = new Client({ host, port, user: 'app', database: 'app' });
    await owner.connect();
    await owner.query("begin; insert into entry values (1000001, 'left')");
    await owner.query(`prepare transaction '${id}'`);
    await owner.end();
    await served.until('it to be noticed', async () => {
      return (await served.metric('pgweave_transactions_in_doubt')) === 1;
    });
    expect(await served.console('show transactions')).toMatchObject([
      { id, coordinator: 'gone', shards: 'b', owner: 'app', decision: 'unknown' },
    ]);
    await expect(served.console(`resolve ${id} commit`, 'reader')).rejects.toMatchObject({
      code: '42501',
    });
    await served.console(`resolve ${id} commit`);
    expect(await notes()).toEqual(['1000001 left']);
    expect(await served.console('show transactions')).toEqual([]);
    await expect(served.console(`resolve ${id} commit`)).rejects.toMatchObject({ code: '42704' });
  });
});

describe('servers that cannot prepare', () => {
  it('are named at the start, and refuse what needs it', async () => {
    const own = await ServedCluster.start({
      shards: ['a', 'b'],
      schema: entrySchema,
      settings: { max_prepared_transactions: 0 },
    });
    try {
      const warnings = own.run.log
        .map(({ msg }) => msg)
        .filter((text) => /max_prepared/.test(text));
      expect(warnings.map((text) => text.slice(0, 40))).toEqual([
        'shard a: max_prepared_transactions is 0:',
        'shard b: max_prepared_transactions is 0:',
      ]);
      const client = await own.connect();
      await client.query(`begin; ${both}`);
      await expect(client.query('commit')).rejects.toMatchObject({
        code: '55000',
        hint: expect.stringContaining('max_prepared_transactions'),
      });
      expect((await client.query('select * from entry')).rows).toEqual([]);
      await client.query('begin; insert into entry values (1)');
      await client.query('commit');
      await client.end();
    } finally {
      await own.stop();
    }
  });
});
