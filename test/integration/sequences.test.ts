import type { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { ServedCluster } from '../support/served-cluster.ts';

const shards = ['s1', 's2', 's3', 's4'];
const tables = ['small', 'large', 'counted', 'old'];
/** Their keys are not given by those who insert. */
const keyed = ['by_serial', 'by_identity', 'by_uuid', 'by_text'];

/** Made by hand on each shard; `old` has given the same numbers on all of them. */
const schema = `
  create table small (id int not null, number serial, note text, primary key (id, number));
  create table large (id int not null, number bigint generated always as identity, note text);
  create sequence "Odd ""name" increment by 10 cache 5;
  create table counted (id int not null, number int default nextval('"Odd ""name"'));
  create table old (id int not null, number bigserial);
  insert into old (id) select 0 from generate_series(1, 100);
  create table by_serial (id serial primary key, note text, number bigserial);
  create table by_identity (note text, id bigint generated always as identity primary key);
  create table by_uuid (id uuid primary key default gen_random_uuid(), note text);
  create table by_text (note text, id text default 'k' || nextval('by_text_id') primary key);
  create table timed (id int primary key, note text, at timestamptz default now(),
    utc timestamp(0) not null default (current_timestamp at time zone 'utc') + interval '1 day',
    who name default current_user, stamp timestamptz default clock_timestamp());
  create table plain (id int, note text)`.replace(
  'create table by_text',
  'create sequence by_text_id; create table by_text',
);

const types = { by_int4: 'integer', by_int8: 'bigint', by_uuid: 'uuid', by_text: 'text' };

let served: ServedCluster;

beforeAll(async () => {
  served = await ServedCluster.start({
    shards,
    schema,
    standbys: true,
    settings: { max_prepared_transactions: '40' },
    distributions: Object.entries(types).map(
      ([name, type]) => `${name}: { type: ${type}, ring: { s1: 1, s2: 1, s3: 1, s4: 1 } }`,
    ),
    tables: [
      ...tables.map((table) => `${table}: { distribution: by_int4, key: id }`),
      'by_serial: { distribution: by_int4, key: id }',
      'timed: { distribution: by_int4, key: id }',
      'by_identity: { distribution: by_int8, key: id }',
      'by_uuid: { distribution: by_uuid, key: id }',
      'by_text: { distribution: by_text, key: id }',
    ],
  });
});

afterAll(() => served?.stop());

/** Of all shards together, as they are stored. */
async function stored(table: string): Promise<readonly string[]> {
  const found = await Promise.all(
    served.lab.shards.map(({ primary }) =>
      withSession(primary, served.lab.login, async (session) => {
        const { rows } = await session.query(`select number::text as number from ${table}`);
        return rows.map(({ number }) => String(number));
      }),
    ),
  );
  return found.flat();
}

async function withClients(count: number, work: (client: Client, index: number) => Promise<void>) {
  const clients = await Promise.all(Array.from({ length: count }, () => served.connect()));
  try {
    await Promise.all(clients.map(work));
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

describe('sequences of tables over shards', () => {
  it('give 16 writers on 4 shards different values, by DEFAULT, identity and nextval()', async () => {
    const returned = new Map<string, string[]>(tables.map((table) => [table, []]));
    await withClients(16, async (client, writer) => {
      for (let round = 0; round < 25; round += 1) {
        const id = writer * 1000 + round;
        for (const table of tables) {
          const text = `insert into ${table} (id) values ($1), ($2) returning number::text`;
          const { rows } = await client.query(text, [id, id + 500]);
          returned.get(table)?.push(...rows.map(({ number }) => String(number)));
        }
      }
    });
    for (const table of tables) {
      const numbers = returned.get(table) ?? [];
      expect(numbers).toHaveLength(800);
      expect(new Set(numbers).size).toBe(800);
    }
    // What had been given before is not given again.
    expect((returned.get('old') ?? []).every((number) => Number(number) > 100)).toBe(true);
    const all = await stored('small');
    expect([new Set(all).size, all.length]).toEqual([800, 800]);
    expect(Math.max(...all.map(Number))).toBeLessThan(2 ** 31);
  });

  it('give what SELECT nextval() gets to nobody else', async () => {
    await withClients(4, async (client, writer) => {
      for (let round = 0; round < 10; round += 1) {
        const { rows } = await client.query(`select nextval('small_number_seq') as number`);
        const values = [writer * 1000 + 500 + round, Number(rows[0]?.number)];
        await client.query('insert into small (id, number) values ($1, $2)', values);
      }
    });
    await withClients(4, async (client, writer) => {
      await client.query('insert into small (id) select generate_series($1::int, $1::int + 99)', [
        writer * 1000,
      ]);
    });
    const all = await stored('small');
    expect([new Set(all).size, all.length]).toEqual([1240, 1240]);
  });

  it('are adjusted when somebody makes a table or changes a sequence on the servers', async () => {
    for (const { primary } of served.lab.shards) {
      await withSession(primary, served.lab.login, async (session) => {
        await session.query('set role app; alter sequence old_number_seq increment by 1 restart');
      });
    }
    await served.until('the sequence to be adjusted', async () => {
      const { primary } = served.lab.shard('s3');
      return withSession(primary, served.lab.login, async (session) => {
        const { rows } = await session.query(
          `select seqincrement::text as by from pg_sequence where seqrelid = 'old_number_seq'::regclass`,
        );
        return rows[0]?.by === '1024';
      });
    });
    await withClients(1, async (client) => {
      const text = 'insert into old (id) select generate_series(1, 60) returning number';
      const { rows } = await client.query(text);
      expect(new Set(rows.map(({ number }) => number)).size).toBe(60);
    });
  });

  it('lose no place when a primary is killed', async () => {
    await served.untilArmed();
    const before = await stored('large');
    await served.lab.shard('s2').primary.kill();
    await withClients(8, async (client, writer) => {
      for (let round = 0; round < 20; round += 1) {
        for (;;) {
          const id = writer * 1000 + round;
          const done = await client
            .query('insert into large (id) values ($1)', [id])
            .catch(() => null);
          if (done !== null) break;
        }
      }
    });
    // A primary may be another server by now.
    const all = await seen('large', 'number');
    expect(all.length).toBeGreaterThanOrEqual(before.length + 160);
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('a key that is left to its default', () => {
  const inserts = (table: string) =>
    [
      [`insert into ${table} (note) values ('a')`, 1],
      [`insert into ${table} (note) values ('b'), ('c'), ('d')`, 3],
      [`insert into ${table} (id, note) values (default, 'e'), (default, $1)`, 2],
      [`insert into ${table} default values`, 1],
      [`insert into ${table} (note) select $1 from generate_series(1, 5)`, 5],
      [`insert into ${table} (note) select note from plain`, 3],
      [`insert into ${table} (note) select t.note from ${table} t where t.note < 'c'`, 2],
    ] as const;

  beforeAll(async () => {
    await withClients(1, async (client) => {
      await client.query(`insert into plain values (1, 'x'), (2, 'y'), (3, null)`);
    });
  });

  it.each(keyed)('is known before the row of %s has a shard', async (table) => {
    await withClients(2, async (client, number) => {
      if (number === 1) await client.query('begin');
      for (const [text, count] of inserts(table)) {
        const values = text.includes('$1') ? ['z'] : [];
        const { rows, rowCount } = await client.query(`${text} returning id, note`, values);
        if (number === 0) expect([text, rowCount]).toEqual([text, count]);
        for (const { id } of rows) {
          const found = await client.query(`select id from ${table} where id = $1`, [id]);
          expect([text, id, found.rows]).toEqual([text, id, [{ id }]]);
        }
      }
      if (number === 1) await client.query('rollback');
    });
    const ids = await seen(table, 'id');
    expect(ids).toHaveLength(17);
    expect(new Set(ids).size).toBe(17);
  });

  it('may stand beside keys that are given, as PostgreSQL allows it', async () => {
    await withClients(1, async (client) => {
      const text = 'insert into by_serial (note, id) values ($1, default), ($1, $2) returning id';
      const { rows } = await client.query(text, ['both', 900_001]);
      expect(rows[1]).toEqual({ id: 900_001 });
      expect(rows[0]?.id).not.toBe(900_001);
      await expect(
        client.query(`insert into by_identity (id, note) values (default, 'f'), (5, 'g')`),
      ).rejects.toMatchObject({ code: '428C9' });
      const { rows: ours } = await client.query(
        `insert into by_identity (id, note) overriding user value values (5, 'h') returning id`,
      );
      expect(ours[0]?.id).not.toBe('5');
      await expect(client.query(`insert into small (note) values ('i')`)).rejects.toMatchObject({
        code: '23502',
      });
    });
  });

  it('is another one in each of very many rows', async () => {
    await withClients(4, async (client) => {
      const rows = Array.from({ length: 1000 }, (_, index) => `($${index + 1})`);
      const values = rows.map((_, index) => `many ${index}`);
      const text = `insert into by_serial (note) values ${rows.join(', ')} returning id, note`;
      const found = await client.query(text, values);
      expect(found.rows.map(({ note }) => note)).toEqual(values);
      expect(new Set(found.rows.map(({ id }) => id)).size).toBe(1000);
    });
  });

  it('comes from the home shard where the statement says nextval()', async () => {
    await withClients(1, async (client) => {
      await client.query('create sequence apart start 100');
      const text = `insert into small (id, number) values (1, nextval('apart')), (2, nextval('apart')),
        (3, nextval('apart')) returning number`;
      expect((await client.query(text)).rows).toEqual(
        [100, 101, 102].map((number) => ({ number })),
      );
      const one = `insert into small (id, number) values (2, nextval('apart')) returning number`;
      expect((await client.query(one)).rows).toEqual([{ number: 103 }]);
    });
  });
});

describe('setval()', () => {
  const settings = [
    [`select setval('by_serial_id_seq', 5000)`, '5000'],
    [`select setval('by_serial_id_seq', $1, true) as reset`, '70000'],
    [`select pg_catalog.setval('public.by_serial_id_seq', 80000, false)`, '80000'],
    [
      `select setval(pg_get_serial_sequence('by_serial', 'id'), (select max(id) from by_serial))`,
      null,
    ],
    [
      `select setval(pg_get_serial_sequence('"by_serial"', 'id'), coalesce(max("id"), 1), max("id") is not null) from "by_serial"`,
      null,
    ],
    [
      `select setval('by_serial_id_seq', coalesce((select max(id) + 1 from by_serial), 1), false)`,
      null,
    ],
  ] as const;

  it.each(settings)('is heeded by all shards: %s', async (text, expected) => {
    await withClients(1, async (client) => {
      await client.query(`insert into by_serial (id, note) select 600000 + g, 'far' from generate_series(1, 40) g
        on conflict (id) do nothing`);
      const { rows, fields } = await client.query(text, text.includes('$1') ? [expected] : []);
      const name = text.includes('as reset') ? 'reset' : 'setval';
      expect(fields.map((field) => field.name)).toEqual([name]);
      const value = BigInt(rows[0]?.[name]);
      if (expected !== null) expect(value).toBe(BigInt(expected));
      const from = text.includes('false)') ? value : value + 1n;
      const next = await nextOnShards('by_serial_id_seq');
      expect(next.every((each) => each >= from && each < from + 32n)).toBe(true);
      expect(new Set(next.map((each) => each % 32n)).size).toBe(4);
      await client.query(`delete from by_serial where id > 600000`);
    });
  });

  it('fails and does nothing as in PostgreSQL', async () => {
    await withClients(1, async (client) => {
      const code = (text: string) =>
        client.query(text).then(
          () => null,
          (error) => error.code,
        );
      expect(await code(`select setval('by_serial_id_seq', 0)`)).toBe('22003');
      expect(await code(`select setval('by_serial_id_seq', 3000000000)`)).toBe('22003');
      expect(await code(`select setval('nobody', 1)`)).toBe('42P01');
      const { rows } = await client.query(`select setval('by_serial_id_seq', null::int)`);
      expect(rows).toEqual([{ setval: null }]);
      expect(await code(`select setval('by_serial_id_seq', 1), 2`)).toBe('0A000');
      expect(await code('alter sequence by_serial_id_seq restart with 7')).toBe('0A000');
      expect(await code(`select 1 where setval('by_serial_id_seq', 1) > 0`)).toBe('0A000');
    });
  });

  it('sets sequences that only the home shard has', async () => {
    await withClients(1, async (client) => {
      await client.query('create sequence lonely');
      const set = await client.query(`select setval('lonely', 41)`);
      expect(set.rows).toEqual([{ setval: '41' }]);
      expect((await client.query(`select nextval('lonely')`)).rows).toEqual([{ nextval: '42' }]);
    });
  });

  it('may follow TRUNCATE ... RESTART IDENTITY, which begins again on all shards', async () => {
    await withClients(1, async (client) => {
      await client.query('truncate by_serial restart identity');
      expect(await nextOnShards('by_serial_id_seq')).toEqual([1n, 2n, 3n, 4n]);
    });
  });
});

describe('a default that is one value for all rows of a statement', () => {
  const inserts = [
    `insert into timed (id) select generate_series(71, 78)`,
    `insert into timed (id, note) values (11, 'a'), (12, 'b'), (13, 'c'), (14, 'd'), (15, 'e')`,
    `insert into timed values (21, 'a', default), (22, 'b', default), (23, 'c', default), (24, 'd', default)`,
    `insert into timed (id, at, note) values (31, default, 'a'), (32, default, 'b'), (33, default, $1), (34, default, 'd')`,
    `insert into timed select id + 0, 'again' from (select id + 40 as id from timed where id < 9) t`,
    `insert into timed (id, note) select id, $1 from timed on conflict (id) do update set at = excluded.at, note = excluded.note`,
    `insert into timed (id) select id from timed union all select generate_series(60, 68) on conflict (id) do nothing`,
  ];

  beforeAll(async () => {
    await withClients(1, async (client) => {
      await client.query('insert into timed (id) select generate_series(1, 8)');
    });
  });

  it.each(inserts)('is the same on all shards: %s', async (text) => {
    await withClients(1, async (client) => {
      for (const block of [false, true]) {
        if (block) {
          // The shards begin at different times.
          await client.query('begin');
          for (let id = 1; id < 9; id += 1) {
            await client.query('select * from timed where id = $1', [id]);
            await client.query('select pg_sleep(0.01)');
          }
        }
        const values = text.includes('$1') ? ['z'] : [];
        const { rows, rowCount } = await client.query(
          `${text} returning id, at, utc, who, stamp`,
          values,
        );
        expect(rowCount).toBeGreaterThan(3);
        const different = (column: string) => new Set(rows.map((row) => String(row[column]))).size;
        const utc = text.includes('do update') ? 1 : different('utc');
        expect([text, different('at'), utc, different('who')]).toEqual([text, 1, 1, 1]);
        expect(
          rows.every(({ at, utc: later, who }) => at !== null && later > at && who === 'app'),
        ).toBe(true);
        if (block) await client.query('rollback');
        else await client.query('delete from timed where id > 8');
      }
    });
  });
});

/** What each shard would give. */
async function nextOnShards(sequence: string): Promise<readonly bigint[]> {
  const found = await Promise.all(
    served.lab.shards.map(async (shard) => {
      for (const node of shard.nodes) {
        const next = await withSession(node, served.lab.login, async (session) => {
          const { rows } = await session.query(
            `select pg_is_in_recovery() as standby, (case when is_called then last_value + seqincrement
              else last_value end)::text as next
            from ${sequence}, pg_sequence where seqrelid = '${sequence}'::regclass`,
          );
          return rows[0];
        }).catch(() => null);
        if (next !== null && next.standby === false) return BigInt(next.next);
      }
      throw new Error(`shard ${shard.name} has no primary`);
    }),
  );
  return found.sort((a, b) => Number(a - b));
}

/** As clients see it. */
async function seen(table: string, column: string): Promise<readonly string[]> {
  const values: string[] = [];
  await withClients(1, async (client) => {
    const { rows } = await client.query(`select ${column}::text as value from ${table}`);
    values.push(...rows.map(({ value }) => String(value)));
  });
  return values;
}
