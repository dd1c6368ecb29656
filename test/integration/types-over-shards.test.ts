import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withSession } from '../../src/lab/sql.ts';
import { entrySchema, ServedCluster } from '../support/served-cluster.ts';
import { WireClient, type WireValue } from '../support/wire-client.ts';

// The same types under other OIDs: what drivers have read from the home shard must hold for all.

const makeTypes = [
  `create type mood as enum ('sad', 'happy')`,
  'create domain temper as mood',
  'create type pair as (mood mood, rest int)',
  'create domain couple as pair',
  'create type pairs as range (subtype = pair)',
];
const addColumns = `alter table entry add mood mood, add temper temper, add moods mood[],
  add pair pair, add all_pairs pair[], add couple couple, add couples couple[], add pairs pairs,
  add more_pairs pairs_multirange`;
const fill = (
  id: number,
) => `insert into entry values (${id}, 'x', 'happy', 'sad', '{sad,NULL,happy}',
  '(happy,1)', '{"(sad,2)",NULL,"(,3)"}', '(sad,4)', '{"(happy,5)"}',
  '["(sad,1)","(happy,2)")', '{["(sad,1)","(sad,2)"),["(happy,1)",)}')`;
const columns =
  'mood, temper, moods, pair, all_pairs, couple, couples, pairs, more_pairs, row(mood, pair) as record';

let served: ServedCluster;
let client: WireClient;
/** Of the home shard. */
let oids: ReadonlyMap<string, number>;

beforeAll(async () => {
  served = await ServedCluster.start({
    shards: ['a', 'b'],
    schema: entrySchema,
    more: 'authentication: trust',
    workers: 1,
  });
  const { lab } = served;
  for (const shard of ['a', 'b']) {
    const before =
      shard === 'a' ? [] : ['create table first (id int)', 'create type filler as (a int)'];
    await withSession(lab.shard(shard).primary, lab.login, async (session) => {
      await session.query('set role app');
      for (const statement of [...before, ...makeTypes, addColumns]) await session.query(statement);
    });
  }
  client = await connect();
  // A change of tables that pgweave sees: it reads the catalogue again.
  await client.query('create table changed (id int)');
  await client.query(fill(1));
  await client.query(fill(1_000_001));
  const rows = await client.query('select typname, oid from pg_type where oid >= 16384');
  oids = new Map(rows.map(([name, oid]) => [String(name), Number(oid)]));
});

afterAll(async () => {
  client?.close();
  await served?.stop();
});

function connect(): Promise<WireClient> {
  return WireClient.connect({ host: '127.0.0.1', port: served.port, user: 'app', database: 'app' });
}

async function extended(
  text: string,
  options: {
    readonly values?: readonly WireValue[];
    readonly typeOids?: readonly number[];
    readonly name?: string;
    readonly binaryResults?: boolean;
    readonly rowsPerFetch?: number;
  } = {},
) {
  const answer = await client.request({
    protocol: 'extended',
    text,
    name: '',
    typeOids: [],
    values: [],
    binaryResults: true,
    rowsPerFetch: 0,
    ...options,
  });
  expect(answer.error).toBeNull();
  return answer.results[0];
}

const onA = `select ${columns} from entry where id = 1`;
const onB = `select ${columns} from entry where id = 1000001`;

describe('types of users over shards that gave them other OIDs', () => {
  it('differ on the servers themselves', async () => {
    const { lab } = served;
    const found = await Promise.all(
      ['a', 'b'].map((shard) =>
        withSession(lab.shard(shard).primary, lab.login, (session) =>
          session.query(`select 'mood'::regtype::oid::int as oid`),
        ),
      ),
    );
    expect(found[0]?.rows).not.toEqual(found[1]?.rows);
  });

  it('are described by the OIDs of the home shard', async () => {
    const types = (await extended(onA))?.columns?.map(({ typeOid }) => typeOid);
    expect(types?.[0]).toBe(oids.get('mood'));
    expect(types?.[3]).toBe(oids.get('pair'));
    for (const text of [onB, `select ${columns} from entry order by id desc`]) {
      expect((await extended(text))?.columns?.map(({ typeOid }) => typeOid)).toEqual(types);
      const simple = await client.request({ protocol: 'simple', text });
      expect(simple.results[0]?.columns?.map(({ typeOid }) => typeOid)).toEqual(types);
    }
  });

  it('come from every shard as the same bytes, text and binary', async () => {
    for (const binaryResults of [false, true]) {
      const options = { binaryResults };
      const [row] = (await extended(onA, options))?.rows ?? [];
      expect(row?.[0]).toEqual(Buffer.from('happy'));
      expect((await extended(onB, options))?.rows).toEqual([row]);
      const merged = `select ${columns} from entry order by id desc`;
      expect((await extended(merged, options))?.rows).toEqual([row, row]);
    }
  });

  it('also when only Execute is asked for, from a prepared statement, and in pieces', async () => {
    const [row] = (await extended(onA))?.rows ?? [];
    const text = `select ${columns} from entry where id = any($1::int[])`;
    for (const [values, count] of [
      ['{1000001}', 1],
      ['{1,1000001}', 2],
    ] as const) {
      for (const rowsPerFetch of [0, 1]) {
        for (const _ of [1, 2]) {
          const answer = await extended(text, { name: 'some', values: [values], rowsPerFetch });
          expect(answer?.rows).toEqual(Array.from({ length: count }, () => row));
        }
      }
    }
    await client.query('begin');
    for (const rowsPerFetch of [0, 1]) {
      const answer = await extended(text, { name: 'some', values: ['{1,1000001}'], rowsPerFetch });
      expect(answer?.rows).toEqual([row, row]);
    }
    await client.query('commit');
  });

  it('come out of cursors as the same bytes', async () => {
    const [row] = (await extended(onA))?.rows ?? [];
    for (const [query, count] of [
      [onB, 1],
      [`select ${columns} from entry order by id`, 2],
    ] as const) {
      await client.query(`begin; declare c binary cursor for ${query}`);
      const simple = await client.request({ protocol: 'simple', text: 'fetch 1 from c' });
      expect(simple.results[0]?.rows).toEqual([row]);
      const rest = await extended('fetch all from c');
      expect(rest?.rows).toEqual(count === 1 ? [] : [row]);
      await client.query('rollback');
    }
  });

  it('are parameters by the OIDs of the home shard, text and binary', async () => {
    const [mood = 0, moods = 0, pair = 0] = ['mood', '_mood', 'pair'].map((name) => oids.get(name));
    const [row] = (await extended(onA))?.rows ?? [];
    const typeOids = [mood, moods, pair];
    const values = [row?.[0] ?? null, row?.[2] ?? null, row?.[3] ?? null];
    for (const id of [1, 1_000_001]) {
      const changed = await extended(
        `update entry set mood = $1, moods = $2, pair = $3 where id = ${id} returning mood, moods, pair`,
        { typeOids, values },
      );
      expect(changed?.rows).toEqual([values]);
    }
    const condition = 'where mood = $1 and moods = $2 and pair = $3';
    const found = await extended(`select count(*) from entry ${condition}`, { typeOids, values });
    expect(found?.rows).toEqual([[Buffer.from([0, 0, 0, 0, 0, 0, 0, 2])]]);
    const text = await extended(`select id from entry ${condition} order by id`, {
      typeOids,
      values: ['happy', '{sad,NULL,happy}', '(happy,1)'],
      binaryResults: false,
    });
    expect(text?.rows.map(String)).toEqual(['1', '1000001']);
  });
});
