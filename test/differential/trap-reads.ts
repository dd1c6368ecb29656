import { ordered, plainText, type Query } from './query.ts';
import type { Tables } from './table.ts';
import { type Trap, trapColumn } from './trap.ts';

/** Known of other proxies, or easy to get wrong over one or two tables. */
export function readTraps(tables: Tables): readonly Trap[] {
  const { booking, document } = tables;
  const int4 = trapColumn(booking, 'int4');
  const money = trapColumn(booking, 'money2');
  const text = trapColumn(booking, 'text');
  const date = trapColumn(booking, 'date');
  const sorted = (sql: string): Query => ordered([sql]);
  return [
    ['a count is one row', plainText('select count(*) from booking')],
    ['zero rows still make one', plainText('select count(*), sum(rid), max(rid) from vacant')],
    [
      'zero shards still make one',
      plainText('select count(*), sum(rid) from booking where cust_id is null'),
    ],
    ['limit is not per shard', sorted('select rid from booking order by rid limit 2')],
    ['limit without an order', plainText('select count(*) from (select 1 from booking limit 7) s')],
    ['offset without a limit', sorted('select rid from booking order by rid offset 300')],
    ['limit 0', sorted('select rid from booking order by rid limit 0')],
    ['limit null', sorted('select rid from booking order by rid limit null')],
    ['fetch first', sorted('select rid from booking order by rid fetch first 3 rows only')],
    [
      'with ties',
      plainText(`select ${date} from booking order by ${date} fetch first 3 rows with ties`),
    ],
    [
      'top of groups',
      sorted(`select ${date}, count(*) from booking group by 1 order by 2 desc, 1 limit 3`),
    ],
    [
      'top of groups by a sum',
      sorted(
        `select ${date}, sum(${money}) as s from booking group by ${date} order by s desc nulls last, 1 limit 4`,
      ),
    ],
    [
      'having on partial counts',
      plainText(`select ${date} from booking group by ${date} having count(*) > 2`),
    ],
    [
      'group by an expression',
      plainText(`select ${int4} % 7, count(*) from booking group by ${int4} % 7`),
    ],
    ['group by an alias', plainText(`select ${int4} % 5 as g, count(*) from booking group by g`)],
    ['group by an ordinal', plainText(`select ${date}, count(*) from booking group by 1`)],
    ['group by a hidden column', plainText(`select count(*) from booking group by ${date}`)],
    ['group by without aggregates', plainText(`select ${date} from booking group by ${date}`)],
    ['group by nothing but having', plainText('select 1 from booking having count(*) > 1')],
    ['order by a hidden column', sorted('select cust_id from booking order by rid desc limit 9')],
    ['order by an expression', sorted('select rid from booking order by rid % 10, rid')],
    [
      'order by descending with nulls',
      sorted(`select ${int4}, rid from booking order by ${int4} desc, rid`),
    ],
    [
      'order by nulls first',
      sorted(`select ${int4}, rid from booking order by ${int4} nulls first, rid`),
    ],
    ['text in byte order', sorted(`select ${text}, rid from booking order by ${text}, rid`)],
    [
      'text under a collation',
      sorted(`select ${text}, rid from booking order by ${text} collate "und-x-icu", rid`),
    ],
    [
      'largest text under a collation',
      plainText(`select max(${text} collate "und-x-icu") from booking`),
    ],
    ['average of averages', plainText(`select avg(${int4}), avg(${money}) from booking`)],
    ['quotient of sums', plainText(`select sum(${money}) / count(*) from booking`)],
    ['coalesced sum', plainText('select coalesce(sum(rid), 0) from vacant')],
    ['distinct count', plainText(`select count(distinct ${date}) from booking`)],
    [
      'filtered count',
      plainText('select count(*) filter (where rid % 2 = 0), count(*) from booking'),
    ],
    ['distinct rows', plainText(`select distinct ${date} from booking`)],
    ['distinct pairs with nulls', plainText(`select distinct ${int4}, ${date} from booking`)],
    [
      'union of two keys',
      plainText(
        "select rid from booking where cust_id = 'Kim' union select rid from booking where cust_id = 'zed'",
      ),
    ],
    ['union all with a constant arm', plainText('select rid from booking union all select -1')],
    [
      'intersection',
      plainText('select cust_id from booking intersect select cust_id from account'),
    ],
    ['difference', plainText('select cust_id from booking except select cust_id from account')],
    ['exists without from', plainText('select exists (select 1 from booking)')],
    [
      'two scalar subqueries',
      plainText(
        "select (select count(*) from booking where cust_id = 'Kim'), (select count(*) from booking where cust_id = 'zed')",
      ),
    ],
    ['a scalar subquery over all', plainText('select (select count(*) from booking)')],
    [
      'a subquery in a condition',
      plainText('select count(*) from account where rid < (select avg(rid) from booking)'),
    ],
    [
      'not in',
      plainText('select count(*) from account where cust_id not in (select cust_id from booking)'),
    ],
    ['a window', plainText('select rid, row_number() over (order by rid) from booking')],
    ['a range of keys', plainText("select rid from booking where cust_id >= 'P'")],
    [
      'between keys of two shards',
      plainText("select rid from booking where cust_id between 'Kim' and 'uli9'"),
    ],
    [
      'a key or something else',
      plainText("select rid from booking where cust_id = 'Kim' or rid = 5"),
    ],
    ['a negated key', plainText("select count(*) from booking where not cust_id = 'Kim'")],
    [
      'case folding is for placement only',
      plainText("select cust_id, rid from booking where cust_id = 'kim'"),
    ],
    [
      'upper case of the key',
      plainText("select cust_id, rid from booking where upper(cust_id) = 'KIM'"),
    ],
    ['nothing equals null', plainText('select rid from booking where cust_id = null')],
    [
      'a contradiction',
      plainText("select rid from booking where cust_id = 'Kim' and cust_id = 'zed'"),
    ],
    ['a fraction equals no integer', plainText('select id from reading where id = 3.5')],
    [
      'a key in a nullable side',
      plainText(
        "select o.cust_id, m.rid from account o left join booking m on m.cust_id = o.cust_id and m.cust_id = 'Kim'",
      ),
    ],
    [
      'a reference table preserved',
      plainText(
        'select i.id, count(m.rid) from item i left join booking m on m.item_id = i.id group by i.id',
      ),
    ],
    ['a reference table by itself', plainText('select count(*) from item')],
    [
      'a full join',
      plainText('select count(*) from account o full join booking m on o.cust_id = m.cust_id'),
    ],
    ['a cross join', plainText('select count(*) from account, grade')],
    [
      'a join off the key',
      plainText('select count(*) from account o join booking m on o.rid = m.rid'),
    ],
    [
      'a common table expression',
      plainText('with b as (select * from booking) select count(*) from b'),
    ],
    [
      'a home table with a sharded one',
      plainText('select count(*) from note n join booking m on m.rid = n.id'),
    ],
    [
      'rows made by a function',
      plainText('select rid, generate_series(1, 2) from booking where rid < 9'),
    ],
    ['a hidden copy of a star', sorted('select * from document order by rid desc limit 4')],
    [
      'aliases that collide',
      plainText(`select rid as n, ${trapColumn(document, 'int4')} as n from document`),
    ],
    ['one of each time', plainText('select count(distinct now()) from booking')],
    ['where rows are stored', plainText('select count(distinct tableoid) from booking')],
    [
      'which table a row is in',
      plainText(
        'select rid, tableoid::regclass from booking union all select rid, d.tableoid::regclass from document d',
      ),
    ],
    [
      'a star beside the table of a row',
      plainText('select *, b.tableoid::regclass::text as place from booking b where rid < 30'),
    ],
    [
      'a table of each row, grouped and joined',
      plainText(
        `select o.tableoid::regclass, count(m.tableoid) from account o left join booking m on m.rid = o.rid
         group by 1 having min(o.rid) > 0`,
      ),
    ],
    [
      'a statement list',
      plainText(
        "select rid from booking where cust_id = 'Kim'; select rid from booking where cust_id = 'zed'",
      ),
    ],
    [
      'a comment before the key',
      plainText(
        "select rid /* where cust_id = 'zed' */ from booking where cust_id = 'Kim' -- and true",
      ),
    ],
    ['a dollar-quoted key', plainText('select rid from booking where cust_id = $q$Kim$q$')],
    ['an escaped key', plainText("select rid from booking where cust_id = E'K\\x69m'")],
    ['a key in pieces', plainText("select rid from booking where cust_id = 'K'\n'im'")],
    [
      'a unicode-escaped key',
      plainText("select rid from booking where cust_id = U&'\\\\004bim'".replace('\\\\', '\\')),
    ],
    [
      'a view of the catalogue',
      plainText("select count(*) from pg_tables where tablename = 'booking'"),
    ],
  ];
}
