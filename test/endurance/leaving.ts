import { serialize } from 'pg-protocol';
import { sleep } from '../../src/base/clock.ts';
import { type Random, seededRandom } from '../support/random.ts';
import type { EnduranceWorld } from './endurance-world.ts';
import { LoadClient } from './load-client.ts';

/** `{near}`, `{far}`: ids of one shard and of the other that other sessions use, too. */
const statements: readonly string[] = [
  'begin',
  'begin',
  'begin isolation level repeatable read',
  'commit',
  'commit',
  'commit and chain',
  'rollback',
  'rollback',
  'rollback and chain',
  'savepoint s',
  'rollback to s',
  'release s',
  'select * from pair where id = {near}',
  'select count(*), sum(half) from pair',
  'select * from entry order by note limit 5',
  'select count(*) from entry a join entry b using (note)',
  'select count(*) over (partition by note) from entry',
  'select * from pair for update',
  'select * from entry where id = {far} for share',
  'update pair set half = half where id = {near}',
  'update pair set half = half where id = {far}',
  'update pair set half = half where id in ({near}, {far})',
  'update pair set half = half',
  "insert into setting values ('{near}', 'x') on conflict (name) do update set value = 'y'",
  "insert into entry values ({near}, 'x'), ({far}, 'y') on conflict do nothing",
  'delete from pair where half > 1000000 returning *',
  'with w as (update pair set half = half where id = {far} returning *) select * from w',
  'declare c cursor for select * from entry order by id',
  'declare c cursor for select * from entry where id = {near}',
  'declare h cursor with hold for select * from entry where id = {near}',
  'declare g cursor with hold for select * from entry order by id',
  "declare g scroll cursor with hold for select repeat('x', 4000), half from pair",
  'fetch backward all from g; fetch all from g',
  'fetch 7 from g',
  'fetch 3 from c',
  'move all in c',
  'close c',
  'listen news',
  "notify news, 'x'",
  'create temp table mine (id int) on commit drop',
  'create temp table kept (id int)',
  'select pg_advisory_lock({near})',
  'select pg_advisory_xact_lock({near})',
  'select pg_advisory_unlock_all()',
  "set app.me to 'x'; set work_mem to '5MB'",
  "set local app.me to 'x'",
  'set constraints all deferred',
  'prepare p as select * from entry where id = {near}',
  'execute p',
  "prepare transaction 'leaving {near}'",
  "rollback prepared 'leaving {near}'",
  "begin; update pair set half = half + 1 where id = {near}; update pair set half = half - 1 where id = {far}; prepare transaction 'leaving {near}'",
  "begin; select from entry where id = {far} for update; update pair set half = half where id = {near}; prepare transaction 'leaving {near}'",
  "commit prepared 'leaving {near}'",
  'discard all',
  'copy entry to stdout',
  'copy (select * from pair order by id) to stdout',
  'explain analyze select count(*) from entry',
  'select 1/0',
  'select pg_sleep(0.02)',
  'select pg_sleep(0.02) from pair',
  'begin; update pair set half = half + 3 where id = {near}; update pair set half = half - 3 where id = {far}; commit',
  'update pair set half = half - 5 where id = {near}; update pair set half = half + 5 where id = {far}',
  'update pair set half = half where id = {near}; update pair set half = half where id = {far}',
  'begin; update pair set half = half where id in ({near}, {far}); select 1/0',
];

const sql = (text: string): readonly Buffer[] => [serialize.query(text)];

/** Messages of the extended protocol, and data that nobody waits for. */
const batches: readonly ((near: number, far: number) => readonly Buffer[])[] = [
  (near) => [
    serialize.parse({ text: 'select * from entry where id = $1' }),
    serialize.bind({ values: [String(near)] }),
    serialize.execute({}),
    serialize.sync(),
  ],
  () => [
    serialize.parse({ text: 'select * from entry order by id' }),
    serialize.bind({}),
    serialize.execute({ rows: 2 }),
    serialize.flush(),
  ],
  (near, far) => [
    serialize.parse({ text: 'update pair set half = half where id in ($1, $2)' }),
    serialize.bind({ values: [String(near), String(far)] }),
    serialize.describe({ type: 'P' }),
    serialize.execute({}),
    serialize.bind({ values: [String(far), 'none'] }),
    serialize.execute({}),
    serialize.sync(),
  ],
  (near, far) => [
    serialize.query('copy entry from stdin'),
    serialize.copyData(Buffer.from(`${near}\tx\n${far}\ty\n${far + 77_777}\t`)),
  ],
  (near) => [
    serialize.query('copy setting from stdin'),
    serialize.copyData(Buffer.from(`leaving ${near}\tx\n`)),
    serialize.copyFail('enough'),
  ],
  () => [serialize.sync()],
];

const ways: readonly ((client: LoadClient) => void)[] = [
  ({ socket }) => socket.destroy(),
  ({ socket }) => socket.resetAndDestroy(),
  ({ socket }) => socket.end(serialize.end()),
];

/**
 * Sessions that say random things, wait for the answers or do not, cancel now and then, and leave in
 * the middle of it. Session `number` is made of the seed and its number alone. How many left.
 */
export async function leaveAtRandom(
  world: EnduranceWorld,
  { seed, sessions, width }: { seed: number; sessions: number; width: number },
): Promise<number> {
  let number = 0;
  const some = async () => {
    while (number < sessions && world.faults.length === 0) {
      number += 1;
      await leave(world, seededRandom(seed * 1_000_003 + number));
    }
  };
  let areDone = false;
  const ended = endPrepared(world, () => areDone);
  await Promise.all(Array.from({ length: width }, some));
  areDone = true;
  await ended;
  return number;
}

/** What sessions have left prepared keeps its locks, and would keep others waiting for ever. */
async function endPrepared(world: EnduranceWorld, isOver: () => boolean): Promise<void> {
  const client = await LoadClient.connect(world.app);
  for (let isLast = false; ; isLast = isOver()) {
    const left = await client.query("select gid from pg_prepared_xacts where gid like 'leaving %'");
    for (const [gid] of left) {
      // Others may be faster.
      await client.query(`rollback prepared '${gid}'`).catch(() => {});
    }
    if (isLast && left.length === 0) break;
    await sleep(100);
  }
  await client.end();
}

async function leave(world: EnduranceWorld, random: Random): Promise<void> {
  const client = await LoadClient.connect(world.app);
  const near = random.integer(1, 20);
  const far = 1_000_000 + near;
  for (let left = random.integer(1, 9); left > 0; left--) {
    const isBatch = random.integer(0, 4) === 0;
    const text = random.pick(statements);
    const own = text.replaceAll('{near}', String(near)).replaceAll('{far}', String(far));
    client.write(Buffer.concat(isBatch ? random.pick(batches)(near, far) : sql(own)));
    if (random.integer(0, 5) === 0) client.cancel();
    if (random.integer(0, 2) > 0) await sleep(random.integer(0, 12));
  }
  random.pick(ways)(client);
  await sleep(1);
  client.socket.destroy();
}
