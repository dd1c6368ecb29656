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
  ];
}
