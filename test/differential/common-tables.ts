import type { Dice } from './dice.ts';
import { type Fragment, optional, sql } from './fragment.ts';
import type { Predicates, Source } from './predicates.ts';
import { emptySelect, type Query } from './query.ts';
import type { Table, Tables } from './table.ts';

/** Common table expressions beyond a named filter: several, nested, recursive. */
export class CommonTables {
  readonly #dice: Dice;
  readonly #predicates: Predicates;
  readonly #tables: Tables;

  constructor(dice: Dice, predicates: Predicates, tables: Tables) {
    this.#dice = dice;
    this.#predicates = predicates;
    this.#tables = tables;
  }

  several(): Query {
    const { table, one } = this.#pair();
    const key = table.key.name;
    const rows = sql`part as (select ${key}, rid from ${table.name}${this.#where(table)})`;
    const sums = sql`total as (select ${key}, count(*) as n, max(rid) as top from part group by ${key})`;
    const all = [['count(*)'], ['sum(n)']];
    return this.#dice.pick<() => Query>([
      () => ({ ...emptySelect, with: [rows, sums], columns: all, from: ['total'], isTotal: true }),
      () => ({
        ...emptySelect,
        with: [rows, sums],
        columns: [['p.rid'], ['t.n']],
        from: sql`part p join total t on t.${key} = p.${key}`,
        where: [['p.rid = t.top']],
      }),
      () => ({
        ...emptySelect,
        with: [rows],
        columns: [['count(*)'], ['(select max(rid) from part)']],
        from: ['part'],
        where: [['rid >= (select avg(rid) from part)']],
        isTotal: true,
      }),
      () => ({
        ...emptySelect,
        with: [rows],
        columns: [['o.rid'], ['p.rid']],
        from: sql`${one.name} o left join part p on p.${key} = o.${one.key.name}`,
      }),
      () => ({
        ...emptySelect,
        with: [sql`few as (select rid from item order by rid limit 5)`],
        columns: [['t.rid']],
        from: sql`${table.name} t`,
        where: [sql`t.item_id in (select rid from few)`],
      }),
      () => ({
        ...emptySelect,
        with: [
          sql`a as (with b as (select rid from ${table.name}${this.#where(table)}) select rid + 1 as n from b)`,
        ],
        columns: [['count(*)'], ['max(n)']],
        from: ['a'],
        isTotal: true,
      }),
      () => ({ ...emptySelect, with: [rows], columns: [['1 as one']], isTotal: true }),
    ])();
  }

  recursive(): Query {
    const { table } = this.#pair();
    const key = this.#predicates.oneKey({ table, alias: 't' });
    const most = String(this.#dice.int(3, 12));
    const recursion = (name: string, first: Fragment, step: Fragment, word = 'union all') =>
      sql`recursive ${name} as (${first} ${word} ${step})`;
    const count = recursion('c(n)', ['select 1'], sql`select n + 1 from c where n < ${most}`);
    const chain = (restriction: Fragment) =>
      recursion(
        'chain(rid, depth)',
        sql`select t.rid, 1 from ${table.name} t where ${restriction}`,
        sql`select t.rid, c.depth + 1 from ${table.name} t join chain c on t.rid = c.rid + 1 where c.depth < 4 and ${restriction}`,
      );
    return this.#dice.pick<() => Query>([
      () => ({ ...emptySelect, with: [count], columns: [['n']], from: ['c'] }),
      () => ({
        ...emptySelect,
        with: [count],
        columns: [['c.n'], ['t.rid']],
        from: sql`c join ${table.name} t on t.rid = c.n`,
      }),
      () => ({
        ...emptySelect,
        with: [count],
        columns: [['c.n'], ['count(t.rid)']],
        from: sql`c left join ${table.name} t on t.item_id = c.n`,
        groupBy: [['c.n']],
      }),
      () => ({
        ...emptySelect,
        with: [chain(key)],
        columns: [['rid'], ['depth']],
        from: ['chain'],
      }),
      () => ({
        ...emptySelect,
        with: [chain(sql`t.rid < 12`)],
        columns: [['count(*)'], ['max(depth)']],
        from: ['chain'],
        isTotal: true,
      }),
    ])();
  }

  #pair(): { readonly one: Table; readonly table: Table } {
    const { account, booking, reading, readingLine } = this.#tables;
    return this.#dice.pick([
      { one: account, table: booking },
      { one: reading, table: readingLine },
    ]);
  }

  #where(table: Table): Fragment {
    const source: Source = { table, alias: '' };
    if (this.#dice.chance(0.3)) return optional(sql` where ${this.#predicates.oneKey(source)}`);
    return optional(sql` where ${this.#predicates.filter(source)}`);
  }
}
