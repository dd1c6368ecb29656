import { slot, sql } from './fragment.ts';
import { ordered, plainText, unordered } from './query.ts';
import type { Tables } from './table.ts';
import { type Trap, trapColumn } from './trap.ts';

/** What generated statements have found to be answered wrongly once: the smallest case of each. */
export function foundTraps({ booking }: Tables): readonly Trap[] {
  const int4 = trapColumn(booking, 'int4');
  const date = trapColumn(booking, 'date');
  const calm = slot({ type: 'mood', text: 'calm' }, { asParameter: true, typed: false });
  const most = slot({ type: 'int8', text: '60' }, { asParameter: true, typed: false });
  return [
    [
      'the first groups of the key, by a count and a collation',
      ordered([
        'select cust_id from booking group by cust_id order by count(*) desc, cust_id collate "und-x-icu" limit 5',
      ]),
    ],
    [
      'the last groups of the key, by a count that is selected',
      ordered([
        'select cust_id, count(*) from booking group by 1 order by 2, cust_id collate "und-x-icu" limit 5',
      ]),
    ],
    [
      'a parameter of an enum in a subquery',
      unordered(
        sql`select count(*) from account where rid > (select avg(rid) from booking where ${calm} = 'calm'::mood) and rid < ${most}`,
      ),
    ],
    [
      'a limit that is a subquery',
      plainText('select count(*) from (select 1 from booking limit (select count(*) from item)) s'),
    ],
    [
      'a limit that is a subquery at the top',
      plainText('select 1 from booking limit (select count(*) from item)'),
    ],
    [
      'an aggregate in a subquery of having',
      plainText(
        `select ${int4} from booking group by ${int4} having exists (select 1 from item where item.id = max(booking.rid))`,
      ),
    ],
    [
      'having in a list of a subquery',
      plainText(
        `select ${int4}, count(*) from booking group by ${int4} having count(*) in (select rid from item)`,
      ),
    ],
    ['distinct times of no rows', plainText('select count(distinct now()) from vacant')],
    [
      'grouping sets of a column and an expression of it',
      plainText(
        `select date_trunc('month', ${date}) from booking group by rollup (${date}, date_trunc('month', ${date}))`,
      ),
    ],
    [
      'a group by an expression beside a rollup of its column',
      plainText(`select ${int4} % 7 from booking group by ${int4} % 7, rollup (${int4}, ${date})`),
    ],
    [
      'the first groups by a count, then in a linguistic order',
      ordered([
        'select cust_id, count(*) from booking group by 1 order by 2, cust_id collate "und-x-icu" limit 5',
      ]),
    ],
    [
      'the first rows of a sorted subquery',
      ordered(['select rid from (select rid from booking order by rid desc) s limit 3 offset 2']),
    ],
    [
      'a list of a sorted table expression',
      plainText(
        'with s as (select rid from booking order by rid desc) select string_agg(rid::text, $$,$$) from s',
      ),
    ],
    [
      'numbers of the rows of a sorted subquery',
      ordered([
        'select rid, row_number() over () from (select rid from booking order by rid) s limit 4',
      ]),
    ],
    [
      'a subquery whose result is called like a column of the outer query',
      plainText(
        'select a.rid, (select max(b.rid) as item_id from booking b where b.rid = item_id) from booking a',
      ),
    ],
    [
      'a condition on a join by its own name',
      plainText(
        'select count(*), max(j.rid2) from (account a join (select rid as rid2 from reading) r on r.rid2 = a.rid) as j where j.cust_id > $$e$$',
      ),
    ],
    [
      'a whole row of a join',
      plainText('select j.* from (item i join booking b on b.rid = i.id) as j where j.rid > 1'),
    ],
    [
      'a correlated sum that would fail for values that are not asked for',
      plainText(
        'select a.rid, (select sum(1 / (b.rid - 5)) from booking b where b.rid = a.rid) from account a where a.rid <> 5',
      ),
    ],
    [
      'a correlated sum over a coarser comparison',
      plainText(
        'select a.rid, (select sum(b.rid) from booking b where b.rid = a.rid::float8) from account a',
      ),
    ],
    [
      'a group by the name of a constant',
      plainText("select 'a' as x, count(*) from booking group by x"),
    ],
    [
      'a group by the name of a number',
      plainText('select 5 as x, count(*) from booking group by x'),
    ],
    ['a group by a null', plainText('select null, count(*) from booking group by 1')],
    [
      'a group by what has no order',
      plainText('select (rid % 3)::text::xid, count(*) from booking group by 1'),
    ],
  ];
}
