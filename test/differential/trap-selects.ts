import { type Fragment, slot, sql } from './fragment.ts';
import { ordered, plainText } from './query.ts';
import type { Tables } from './table.ts';
import { type Trap, trapColumn } from './trap.ts';

/** Whatever needs the rows of several shards in one place. */
export function selectTraps(tables: Tables): readonly Trap[] {
  const { booking } = tables;
  const int4 = trapColumn(booking, 'int4');
  const money = trapColumn(booking, 'money2');
  const text = trapColumn(booking, 'text');
  const date = trapColumn(booking, 'date');
  // Whole numbers: with fractions, what should be 0 is noise on any server.
  const pair = `(${int4} % 100)::float8, (item_id % 7)::float8`;
  return [
    ...limits(),
    ...joins(int4),
    [
      'a group by an expression and its column',
      plainText(`select ${date}, ${date} + 1, count(*) from booking group by ${date}, ${date} + 1`),
    ],
    [
      'an aggregate of an aggregate',
      plainText(`select avg(n) from (select count(*) as n from booking group by ${date}) s`),
    ],
    [
      'a sum of a window',
      plainText(`select ${date}, sum(count(*)) over () from booking group by ${date}`),
    ],
    [
      'rank over groups',
      plainText(
        `select ${date}, rank() over (order by count(*) desc) from booking group by ${date}`,
      ),
    ],
    ['ordered array', plainText('select array_agg(rid order by rid desc) from booking')],
    [
      'ordered text',
      plainText(`select string_agg(${text}, ',' order by ${text}, rid) from booking`),
    ],
    [
      'median',
      plainText(`select percentile_cont(0.5) within group (order by ${int4}) from booking`),
    ],
    ['mode', plainText(`select mode() within group (order by ${date}) from booking`)],
    [
      'correlation of what is null here and there',
      plainText(
        `select item_id % 3, corr(${pair}), regr_r2(${pair}), regr_slope(${pair}), regr_intercept(${pair}) from booking group by 1`,
      ),
    ],
    [
      'squares of what is null here and there',
      plainText(
        `select item_id % 3, regr_sxx(${pair}), regr_syy(${pair}), regr_sxy(${pair}), regr_avgx(${pair}), regr_count(${pair}), covar_pop(${pair}) from booking group by 1`,
      ),
    ],
    [
      'standard deviation',
      plainText(`select stddev(${money}), variance(${int4} % 100) from booking`),
    ],
    [
      'sum of distinct values',
      plainText(`select sum(distinct ${int4}), count(distinct ${int4}) from booking`),
    ],
    [
      'two different distincts',
      plainText(
        `select count(distinct ${int4}), count(distinct ${date}) from booking group by ${int4} % 3`,
      ),
    ],
    ['distinct key', plainText('select count(distinct cust_id) from booking')],
    [
      'having on a sum that no shard reaches',
      plainText(`select ${date} from booking group by ${date} having count(*) > 5`),
    ],
    ['having without a row', plainText('select 1 from vacant having count(*) = 0')],
    [
      'ordered by an aggregate that is hidden',
      ordered([`select ${date} from booking group by ${date} order by count(*) desc, ${date}`]),
    ],
    [
      'rollup with a grand total',
      plainText(
        `select ${date}, count(*), grouping(${date}) from booking group by rollup (${date})`,
      ),
    ],
    [
      'empty grouping set over no rows',
      plainText('select count(*) from vacant group by grouping sets ((), ())'),
    ],
    [
      'distinct on another order',
      ordered([
        `select distinct on (${date}) ${date}, rid from booking order by ${date}, rid desc`,
      ]),
    ],
    [
      'distinct after a window',
      plainText(`select distinct count(*) over (partition by ${int4} % 5) from booking`),
    ],
    [
      'a running sum',
      ordered([`select rid, sum(${money}) over (order by rid) from booking order by rid`]),
    ],
    [
      'a window by the key',
      plainText('select rid, row_number() over (partition by cust_id order by rid) from booking'),
    ],
    [
      'sets that are made and counted',
      plainText('select count(*) from (select generate_series(1, 3) from booking) s'),
    ],
    ['a set beside an aggregate', plainText('select count(*), generate_series(1, 2) from booking')],
    [
      'a recursion over several shards',
      plainText(
        'with recursive r as (select 1 as rid union all select b.rid from r join booking b on b.rid = r.rid + 1 where b.rid < 9) select count(*) from r',
      ),
    ],
    [
      'a table expression that is read twice',
      plainText(
        'with b as (select rid from booking) select count(*) from b x join b y on x.rid = y.rid',
      ),
    ],
    [
      'except all',
      plainText(`select ${int4} % 3 from booking except all select rid % 3 from account`),
    ],
    [
      'a nested difference',
      plainText(
        'select rid from booking except (select rid from account union select rid from reading)',
      ),
    ],
    ['constants and nothing else', plainText('select distinct 1 from booking')],
    ['no column', plainText('select from booking where rid < 5')],
    ['a volatile value in each row', plainText('select count(*) from booking where random() < 2')],
    [
      'one time in the whole statement',
      plainText(
        'select count(distinct clock) from (select now() as clock from booking union all select now() from reading) s',
      ),
    ],
    [
      'a lock on rows of several shards',
      plainText('select rid from booking where rid < 5 for update'),
    ],
    [
      'types of no rows',
      plainText(
        `select ${money}, ${text}, sum(${money}) from vacant join booking on false group by 1, 2`,
      ),
    ],
  ];
}

/** LIMIT and OFFSET as parameters, NULL included. */
function limits(): readonly Trap[] {
  const number = (text: string | null): Fragment =>
    slot({ type: 'int8', text }, { asParameter: true, typed: false });
  const rows = 'select rid from booking order by rid';
  return [
    ['limit as a parameter', ordered(sql`${rows} limit ${number('3')}`)],
    ['limit null as a parameter', ordered(sql`${rows} limit ${number(null)}`)],
    ['offset as a parameter', ordered(sql`${rows} limit ${number('4')} offset ${number('315')}`)],
    ['offset null as a parameter', ordered(sql`${rows} limit 5 offset ${number(null)}`)],
    ['a negative limit', ordered(sql`${rows} limit ${number('-1')}`)],
    [
      'a limit of groups',
      ordered(
        sql`select rid % 7, count(*) from booking group by 1 order by 2 desc, 1 limit ${number('2')}`,
      ),
    ],
  ];
}

/** No row twice, none missing: `item` is on every shard, `note` on one. */
function joins(int4: string): readonly Trap[] {
  return [
    [
      'a reference table without partners',
      plainText(
        'select i.id from item i where not exists (select 1 from booking m where m.item_id = i.id)',
      ),
    ],
    [
      'a reference table in a full join',
      plainText(
        'select count(*), count(i.id), count(m.rid) from booking m full join item i on i.id = m.item_id',
      ),
    ],
    [
      'a reference table not in the rest',
      plainText(
        'select id from item where id not in (select item_id from booking where item_id is not null)',
      ),
    ],
    [
      'not in with nulls',
      plainText('select count(*) from item where id not in (select item_id from booking)'),
    ],
    [
      'in with nulls',
      plainText(
        `select count(*), count(*) filter (where ${int4} in (select item_id from reading_line)) from booking`,
      ),
    ],
    [
      'a reference table beside a distributed one',
      plainText('select count(*) from item, booking where booking.rid < 3'),
    ],
    [
      'a reference table united with a distributed one',
      plainText('select id from item union all select item_id from booking'),
    ],
    [
      'exists about another table',
      plainText('select count(*) from item where exists (select 1 from booking where rid < 0)'),
    ],
    [
      'a left join to a home table',
      plainText('select count(*), count(n.id) from booking m left join note n on n.id = m.item_id'),
    ],
    [
      'a home table that keeps its rows',
      plainText(
        'select count(*), count(m.rid) from note n left join booking m on n.id = m.item_id',
      ),
    ],
    [
      'a correlated count',
      plainText(
        'select o.cust_id, (select count(*) from booking m where m.cust_id = o.cust_id) from account o',
      ),
    ],
    [
      'a correlated count off the key',
      plainText(
        'select o.rid, (select count(*) from booking m where m.item_id = o.rid) from account o',
      ),
    ],
    [
      'the greatest per group',
      plainText(
        'select count(*) from booking b where rid = (select max(rid) from booking m where m.cust_id = b.cust_id)',
      ),
    ],
    [
      'the greatest per group off the key',
      plainText(
        'select count(*) from booking b where rid = (select max(rid) from booking m where m.item_id = b.item_id)',
      ),
    ],
    [
      'lateral off the key',
      plainText(
        'select count(*) from account o, lateral (select rid from booking m where m.rid > o.rid order by rid limit 2) x',
      ),
    ],
    [
      'three tables, one off the key',
      plainText(
        'select count(*) from account o join booking m on m.cust_id = o.cust_id join reading r on r.rid = m.rid',
      ),
    ],
    [
      'a self join off the key',
      plainText('select count(*) from booking a join booking b on a.rid = b.rid + 1'),
    ],
    ['a cartesian square', plainText('select count(*) from account a, account b')],
    [
      'keys that only look equal',
      plainText("select count(*) from account o join booking m on o.cust_id || '' = m.cust_id"),
    ],
    [
      'keys that are equal or something',
      plainText(
        'select count(*) from account o join booking m on o.cust_id = m.cust_id or m.rid < 3',
      ),
    ],
    [
      'using in a full join',
      plainText(
        'select count(*), count(cust_id) from account o full join booking m using (cust_id)',
      ),
    ],
  ];
}
