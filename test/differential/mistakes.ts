import type { Dice } from './dice.ts';

/** A statement that PostgreSQL answers with an error. */
export function mistake(dice: Dice, table: string): string {
  return dice.pick([
    'selec 1',
    'select * from missing_table',
    `select missing_column from ${table}`,
    `select rid / 0 from ${table} where rid = 1`,
    `select rid from ${table} where rid = 'x'`,
    `select count(*), rid from ${table}`,
    `select sum(missing) from ${table}`,
    `select rid from ${table} order by 9`,
    `select rid from ${table} limit -1`,
    `select * from ${table} where rid = $1`,
    `select a.rid from ${table} a join ${table} b on a.rid = b.rid where rid = 1`,
    `select rid from ${table} group by ()`,
    `select rid from ${table} having count(*) > 1`,
    `select max(count(*)) from ${table}`,
    `select rid from ${table} where count(*) > 1`,
    `select rid from ${table} union select rid, rid from ${table}`,
    `select (select rid from ${table}) from ${table}`,
    `select (select rid, rid from ${table} limit 1)`,
    `select sum(rid) over (order by missing) from ${table}`,
    `select row_number() from ${table}`,
    `select 1 from ${table} t join ${table} using (missing)`,
    `select rid from ${table} where rid in (select rid, rid from ${table})`,
    `with c as (select rid from ${table}) select missing from c`,
    `select rid from ${table} union select 'x'`,
    `select 1 / (count(*) - count(*)) from ${table}`,
    `select distinct on (rid) rid from ${table} order by 1 + rid`,
    `insert into ${table} (missing) values (1)`,
    "select 'unterminated",
    "select * from document where id = 'not-a-uuid'",
    'select * from reading where id = 99999999999999999999',
    "select * from reading where id = 'x'",
  ]);
}
