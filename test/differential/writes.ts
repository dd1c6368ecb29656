import type { Dice } from './dice.ts';
import { type Fragment, join, slot, sql } from './fragment.ts';
import type { KeyFinder, Predicates, Source } from './predicates.ts';
import { type Query, unordered } from './query.ts';
import { randomRow } from './rows.ts';
import { type Column, columnsOfType, type Table, type Tables } from './table.ts';
import { randomValue, type Value } from './value.ts';

/** Above the numbers of all generated rows, so that new rows never share one with them. */
const rowsBefore = 1000;

/** INSERT, UPDATE and DELETE: of one key, and such as concern several shards. */
export class Writes {
  readonly #dice: Dice;
  readonly #predicates: Predicates;
  readonly #tables: Tables;
  readonly #findKey: KeyFinder;
  #lastRid = rowsBefore;

  constructor(dice: Dice, predicates: Predicates, tables: Tables, findKey: KeyFinder) {
    this.#dice = dice;
    this.#predicates = predicates;
    this.#tables = tables;
    this.#findKey = findKey;
  }

  /** All its rows have one key. */
  oneKey(table: Table, key: Value = this.#findKey(table)): Query {
    const source: Source = { table, alias: '' };
    const where = this.#predicates.oneKey(source, key);
    const also = this.#dice.chance(0.4) ? sql` and ${this.#predicates.filter(source)}` : [];
    const write = this.#dice.pick<() => Fragment>([
      () => this.#insert(table, [key]),
      () => this.#insert(table, [key]),
      () => (table.keyIsUnique ? this.#upsert(table, key) : this.#insert(table, [key, key])),
      () => sql`update ${table.name} set ${this.assignment(table)} where ${where}${also}`,
      () => sql`update ${table.name} as t set ${this.assignment(table)} where ${where}`,
      () => sql`delete from ${table.name} where ${where}${also}${this.#sparing()}`,
    ])();
    return this.#returning(table, write);
  }

  severalKeys(table: Table): Query {
    const source: Source = { table, alias: '' };
    const key = table.key.name;
    const write = this.#dice.pick<() => Fragment>([
      () => this.#insert(table, [this.#findKey(table), this.#findKey(table), this.#findKey(table)]),
      () =>
        sql`update ${table.name} set ${this.assignment(table)} where ${this.#predicates.filter(source)}`,
      () =>
        sql`update ${table.name} set ${this.assignment(table)} where ${this.#predicates.manyKeys(source)}`,
      () =>
        sql`delete from ${table.name} where ${this.#predicates.manyKeys(source)}${this.#sparing()}`,
      () =>
        sql`update ${table.name} set ${key} = ${this.#value(this.#findKey(table))} where ${this.#predicates.oneKey(source)}`,
      () =>
        sql`insert into ${table.name} select * from ${table.name} where ${this.#predicates.oneKey(source)}`,
      () => sql`delete from ${table.name} where rid = ${String(this.#lastRid)}`,
      () => sql`insert into ${table.name} (rid) values (${String(++this.#lastRid)})`,
      () => sql`insert into ${table.name} (${key}, rid) values (null, ${String(++this.#lastRid)})`,
    ])();
    return this.#returning(table, write);
  }

  /** So many new rows, of any keys. */
  insertion(table: Table, count: number): Fragment {
    return this.#insert(
      table,
      this.#dice.list(count, () => this.#findKey(table)),
    );
  }

  /** Writes to a reference table, which must stay equal on all shards. */
  reference(): Query {
    const table = this.#tables.item;
    const id = String(this.#dice.int(1, 60));
    const text = this.#dice.pick<() => Fragment>([
      () => this.#insert(table, [this.#findKey(table)]),
      () => sql`update item set ${this.assignment(table)} where id = ${id}`,
      () => sql`delete from item where id = ${id} and false`,
    ])();
    return unordered(text);
  }

  /** Deletes take the rows that writes added, or the tables would soon be empty. */
  #sparing(): Fragment {
    return this.#dice.chance(0.05) ? [] : [` and rid > ${rowsBefore}`];
  }

  #insert(table: Table, keys: readonly Value[]): Fragment {
    const rows = keys.map((key) => randomRow(table, key, ++this.#lastRid, this.#dice));
    const order = this.#dice.chance(0.3)
      ? table.columns.map((_, index) => index)
      : this.#dice.shuffle(table.columns.map((_, index) => index));
    const names = order.map((index) => table.columns[index]?.name ?? '');
    const tuples = rows.map((row) => {
      const values = order.map((index) => this.#value(row[index] ?? { type: 'text', text: null }));
      return sql`(${join(values, ', ')})`;
    });
    return sql`insert into ${table.name} (${names.join(', ')}) values ${join(tuples, ', ')}`;
  }

  #upsert(table: Table, key: Value): Fragment {
    const insert = this.#insert(table, [key]);
    const target = table.keyIsUnique ? table.key.name : `${table.key.name}, rid`;
    if (this.#dice.chance(0.4)) return sql`${insert} on conflict do nothing`;
    const column = this.#payload(table);
    return sql`${insert} on conflict (${target}) do update set ${column.name} = excluded.${column.name}`;
  }

  /** Of a column that is neither the key nor `rid`. */
  assignment(table: Table): Fragment {
    const column = this.#payload(table);
    const integer = columnsOfType(table, ['int4']).find((each) => each.name.startsWith('int4'));
    if (integer !== undefined && this.#dice.chance(0.3)) {
      return sql`${integer.name} = ${integer.name} % 1000 + 1`;
    }
    const assignment = sql`${column.name} = ${this.#value(randomValue(column.type, this.#dice))}`;
    return this.#dice.chance(0.15) && column.nullable ? sql`${column.name} = default` : assignment;
  }

  #payload(table: Table): Column {
    const free = (column: Column) => column !== table.key && column.name !== 'rid';
    return this.#dice.pick(table.columns.filter(free));
  }

  #value(value: Value): Fragment {
    return slot(value, { asParameter: this.#dice.chance(0.6), typed: this.#dice.chance(0.1) });
  }

  #returning(table: Table, write: Fragment): Query {
    if (this.#dice.chance(0.6)) return unordered(write);
    const columns = this.#dice.pick(['*', 'rid', `${table.key.name}, rid + 1 as next`]);
    return unordered(sql`${write} returning ${columns}`);
  }
}
