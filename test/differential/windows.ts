import type { Dice } from './dice.ts';
import { type Fragment, optional, sql } from './fragment.ts';
import { sortable } from './predicates.ts';
import { emptySelect, type OrderItem, type Select } from './query.ts';
import { columnName, type Relation, rowNumbers } from './relation.ts';
import type { Selects } from './selects.ts';
import type { TypeName } from './value.ts';

/** Window functions, partitioned by the key and otherwise; every result is determined. */
export class Windows {
  readonly #dice: Dice;
  readonly #selects: Selects;

  constructor(dice: Dice, selects: Selects) {
    this.#dice = dice;
    this.#selects = selects;
  }

  over(relation: Relation, byKey: boolean): Select {
    const rids = rowNumbers(relation);
    const calls = this.#dice.list(this.#dice.int(1, 2), () => this.#call(relation, byKey));
    const columns = [...rids.map((rid): Fragment => [rid]), ...calls];
    const { with: common, from, where } = relation;
    const select: Select = { ...emptySelect, with: common, columns, from, where };
    if (this.#dice.chance(0.5)) return select;
    const orderBy = rids.map((rid, output): OrderItem => {
      return { expression: [rid], direction: this.#selects.direction(), output };
    });
    return this.#selects.limited({ ...select, orderBy, isTotal: true }, 0.5);
  }

  /** The first rows of each partition. */
  top(relation: Relation, byKey: boolean): Select {
    const rids = rowNumbers(relation).map((rid, index) => `${rid} as r${index}`);
    const partition = this.#partition(relation, byKey);
    const inner = sql`select ${rids.join(', ')}, row_number() over (${partition} order by ${this.#order(relation)}) as place from ${relation.from}`;
    const where = relation.where.flatMap((each) => optional(sql` and ${each}`));
    const columns: Fragment[] = [...rids.map((_, index): Fragment => [`r${index}`]), ['place']];
    const condition: Fragment[] = [[`place <= ${this.#dice.int(1, 3)}`]];
    const from = sql`(${inner} where true${where}) as ranked`;
    return { ...emptySelect, with: relation.with, columns, from, where: condition };
  }

  #call(relation: Relation, byKey: boolean): Fragment {
    const column = (types: readonly TypeName[]) => columnName(relation, types, this.#dice);
    const partition = this.#partition(relation, byKey);
    const total = this.#order(relation);
    const loose = `${column(sortable)}${this.#selects.direction()}`;
    const number = column(['int4', 'money2', 'int2']);
    return this.#dice.pick<() => Fragment>([
      () => sql`row_number() over (${partition} order by ${total})`,
      () =>
        sql`${this.#dice.pick(['rank', 'dense_rank', 'percent_rank', 'cume_dist'])}() over (${partition} order by ${loose})`,
      () => sql`ntile(4) over (${partition} order by ${total})`,
      () =>
        sql`${this.#dice.pick(['lag', 'lead'])}(${number}, ${this.#dice.pick(['1', '2'])}) over (${partition} order by ${total})`,
      () =>
        sql`${this.#dice.pick(['first_value', 'last_value'])}(${number}) over (${partition} order by ${total})`,
      () => sql`nth_value(${number}, 2) over (${partition} order by ${total})`,
      () => sql`sum(${number}) over (${partition})`,
      () => sql`count(*) over (${partition} order by ${loose})`,
      () =>
        sql`sum(${number}) over (${partition} order by ${total} rows between 2 preceding and current row)`,
      () =>
        sql`max(${number}) over (${partition} order by ${total} rows between unbounded preceding and 1 following)`,
      () => sql`avg(${number}) over (${partition} order by ${loose} range unbounded preceding)`,
      () =>
        sql`count(*) over (${partition} order by ${loose} groups between 1 preceding and 1 following exclude current row)`,
      () => sql`sum(${number}) filter (where ${number} > 0) over (${partition})`,
      () => sql`count(*) over ()`,
      () => sql`${number} - avg(${number}) over (${partition})`,
    ])();
  }

  #partition(relation: Relation, byKey: boolean): string {
    const [first] = relation.sources;
    const other = columnName(relation, sortable, this.#dice);
    if (byKey && first !== undefined) {
      const key = `${first.alias}.${first.table.key.name}`;
      return `partition by ${this.#dice.pick([key, key, `${key}, ${other}`])}`;
    }
    const int4 = columnName(relation, ['int4'], this.#dice);
    return this.#dice.pick(['', `partition by ${other}`, `partition by ${int4} % 3`]);
  }

  /** Total. */
  #order(relation: Relation): string {
    const first = this.#dice.chance(0.5)
      ? [`${columnName(relation, sortable, this.#dice)}${this.#selects.direction()}`]
      : [];
    return [...first, ...rowNumbers(relation)].join(', ');
  }
}
