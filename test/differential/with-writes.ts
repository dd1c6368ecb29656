import type { Dice } from './dice.ts';
import { type Fragment, sql } from './fragment.ts';
import type { Predicates } from './predicates.ts';
import { ordered, type Query, unordered } from './query.ts';
import type { Table, Tables } from './table.ts';
import type { Writes } from './writes.ts';

type Parts = { readonly table: Table; readonly other: Table };

/** INSERT, UPDATE and DELETE in WITH: of rows of one key or of several, with queries about them. */
export class WithWrites {
  readonly #dice: Dice;
  readonly #predicates: Predicates;
  readonly #tables: Tables;
  readonly #writes: Writes;

  constructor(dice: Dice, predicates: Predicates, tables: Tables, writes: Writes) {
    this.#dice = dice;
    this.#predicates = predicates;
    this.#tables = tables;
    this.#writes = writes;
  }

  any(table: Table): Query {
    const { booking, readingLine, document } = this.#tables;
    const others = [booking, readingLine, document].filter((each) => each !== table);
    const parts = { table, other: this.#dice.pick(others) };
    const make = this.#dice.pick([this.#queried, this.#joined, this.#followed, this.#several]);
    return make.call(this, parts);
  }

  /** What was written is what the query is about. */
  #queried({ table }: Parts): Query {
    const { name, key } = table;
    const written = sql`with w as (${this.#write(table, '*')})`;
    return this.#dice.pick<() => Query>([
      () => ordered(sql`${written} select count(*), min(rid), max(rid) from w`),
      () => ordered(sql`${written} select rid, ${key.name} from w order by rid`),
      () => ordered(sql`${written} select * from w order by rid limit 3`),
      () => unordered(sql`${written} select count(*), rid % 3 from w group by 2`),
      () => unordered(sql`${written} select rid from w where rid % 2 = 0 union all select -1`),
      () => ordered(sql`with w as (${this.#write(table, null)}) select 1`),
      // It sees the rows as they were before: refused over shards.
      () => ordered(sql`${written} select (select count(*) from w), count(*) from ${name}`),
    ])();
  }

  #joined({ table, other }: Parts): Query {
    const written = sql`with w as (${this.#write(table, `rid, ${table.key.name} as k`)})`;
    return this.#dice.pick<() => Query>([
      () =>
        unordered(sql`${written} select w.k, i.rid from w left join item i on i.id = w.rid % 20`),
      () => unordered(sql`${written} select w.k, n.rid from w join note n on n.id = w.rid % 30`),
      () =>
        ordered(
          sql`${written} select count(*), count(o.rid) from w left join ${other.name} o on o.rid = w.rid`,
        ),
      () =>
        ordered(
          sql`${written} select count(*) from ${other.name} where rid in (select rid from w)`,
        ),
      () =>
        ordered(
          sql`${written}, o as (select max(rid) as top from ${other.name}) select count(*), max(top) from w, o`,
        ),
    ])();
  }

  /** What was written decides what is written next. */
  #followed({ table, other }: Parts): Query {
    const written = sql`with w as (${this.#write(table, 'rid')})`;
    const again = sql`update ${other.name} set ${this.#writes.assignment(other)}`;
    const near = 'rid in (select rid % 300 from w)';
    return this.#dice.pick<() => Query>([
      () => unordered(sql`${written} ${again} where ${near} returning rid`),
      () => unordered(sql`${written} ${again} from w where ${other.name}.rid = w.rid % 300`),
      () =>
        unordered(sql`${written} update note set rid = note.rid from w where note.id = w.rid % 30`),
      () =>
        unordered(
          sql`${written} delete from ${other.name} where rid in (select rid from w) and rid > 1000`,
        ),
      () => unordered(sql`${written} ${this.#write(other, null)}`),
      () => unordered(sql`${written} update item set rid = rid where id in (select rid from w)`),
      () =>
        unordered(
          sql`${written}, v as (${this.#write(other, 'rid')}) select rid from w union all select rid from v`,
        ),
    ])();
  }

  /** Writes that know nothing of each other, and lists of rows that are made before. */
  #several({ table, other }: Parts): Query {
    const source = { table, alias: '' };
    const { name, key } = table;
    const picked = sql`with p as (select rid, ${key.name} as k from ${name} where ${this.#predicates.filter(source)} order by rid limit 4)`;
    const assignment = this.#writes.assignment(table);
    return this.#dice.pick<() => Query>([
      () =>
        ordered(
          sql`with w as (${this.#write(table, 'rid')}), v as (${this.#write(other, 'rid')}) select (select count(*) from w), (select count(*) from v)`,
        ),
      () => unordered(sql`with w as (${this.#write(table, null)}) ${this.#write(other, 'rid')}`),
      () =>
        unordered(
          sql`${picked} update ${name} set ${assignment} where rid in (select rid from p) returning rid`,
        ),
      () =>
        unordered(
          sql`${picked} update ${name} as t set ${assignment} from p where t.${key.name} = p.k and t.rid = p.rid`,
        ),
      () =>
        ordered(
          sql`${picked}, w as (update ${name} as t set ${assignment} from p where t.rid = p.rid returning t.rid) select count(*) from w`,
        ),
      () =>
        unordered(
          sql`with w as (${this.#write(table, 'rid')}) update item set rid = rid where id = 1`,
        ),
    ])();
  }

  #write(table: Table, returning: string | null): Fragment {
    const dice = this.#dice;
    const source = { table, alias: '' };
    const where = dice.pick([
      () => this.#predicates.oneKey(source),
      () => this.#predicates.manyKeys(source),
      () => this.#predicates.filter(source),
    ])();
    const write = dice.pick<() => Fragment>([
      () => this.#writes.insertion(table, dice.chance(0.5) ? 1 : 3),
      () => sql`update ${table.name} set ${this.#writes.assignment(table)} where ${where}`,
      () => sql`update ${table.name} set ${this.#writes.assignment(table)} where ${where}`,
      () => sql`delete from ${table.name} where ${where} and rid > 1000`,
    ])();
    return returning === null ? write : sql`${write} returning ${returning}`;
  }
}
