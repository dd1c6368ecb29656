import { plainText } from './query.ts';
import type { Tables } from './table.ts';
import { type Trap, trapColumn } from './trap.ts';

/** Each leaves the rows as they are, or is refused. */
export function writeTraps(tables: Tables): readonly Trap[] {
  const money = trapColumn(tables.booking, 'money2');
  return [
    ['a write to all shards', plainText(`update booking set ${money} = ${money}`)],
    ['a write to no shard', plainText(`update booking set ${money} = 1 where cust_id is null`)],
    [
      'a deletion under a contradiction',
      plainText("delete from booking where cust_id = 'Kim' and cust_id = 'zed'"),
    ],
    [
      'the key set to itself',
      plainText("update booking set cust_id = cust_id where cust_id = 'Kim'"),
    ],
    ['an insertion without a key', plainText('insert into booking (rid) values (1)')],
    [
      'an insertion of a NULL key',
      plainText('insert into booking (cust_id, rid) values (null, 1)'),
    ],
    [
      'a data-modifying expression',
      plainText(
        "with d as (delete from booking where cust_id = 'nobody' returning rid) select count(*) from d",
      ),
    ],
    [
      'a deletion by another table',
      plainText('delete from booking using note where note.id = booking.rid and false'),
    ],
  ];
}
