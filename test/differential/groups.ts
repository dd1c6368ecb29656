import type { AggregateCalls } from './aggregate-calls.ts';
import type { Dice } from './dice.ts';
import { type Fragment, inline, slot, sql } from './fragment.ts';
import { sortable } from './predicates.ts';
import { emptySelect, type OrderItem, type Select } from './query.ts';
import { columnName, type Relation } from './relation.ts';
import type { Selects } from './selects.ts';

/** SELECTs with aggregates: all rows, groups, HAVING, grouping sets. */
export class Groups {
  readonly #dice: Dice;
  readonly #selects: Selects;
  readonly #calls: AggregateCalls;

  constructor(dice: Dice, selects: Selects, calls: AggregateCalls) {
    this.#dice = dice;
    this.#selects = selects;
    this.#calls = calls;
  }

  /** One row, whatever there is. */
  ungrouped(relation: Relation, call: () => Fragment): Select {
    const columns = this.#dice.list(this.#dice.int(1, 4), call);
    const select = { ...this.#from(relation), columns, isTotal: true };
    const having = this.#dice.chance(0.1) ? [sql`count(*) > ${this.#count(40)}`] : [];
    return this.#dice.chance(0.1)
      ? this.#selects.limited({ ...select, having }, 0.9)
      : { ...select, having };
  }

  grouped(relation: Relation, call: () => Fragment): Select {
    const groups = this.#dice.list(this.#dice.int(1, 2), () => this.#group(relation));
    return this.#finish(relation, [...new Set(groups)], call);
  }

  /** Whole groups lie on one shard. */
  byKey(relation: Relation, call: () => Fragment): Select {
    const [first] = relation.sources;
    if (first === undefined) throw new Error('a relation has a source');
    const key = `${first.alias}.${first.table.key.name}`;
    const more = this.#dice.chance(0.3) ? [this.#group(relation)] : [];
    const select = this.#finish(relation, [...new Set(this.#dice.shuffle([key, ...more]))], call);
    return this.#dice.chance(0.5) ? select : { ...select, having: [this.#condition(relation)] };
  }

  having(relation: Relation): Select {
    const having = this.#dice.list(this.#dice.int(1, 2), () => this.#condition(relation));
    return { ...this.grouped(relation, () => this.#calls.any(relation)), having };
  }

  /** GROUPING SETS, ROLLUP, CUBE. */
  sets(relation: Relation): Select {
    const names = [...new Set(this.#dice.list(3, () => this.#group(relation)))];
    const [a = 'null', b = a, c = b] = names;
    const groupBy = this.#dice.pick([
      [`rollup (${names.join(', ')})`],
      [`cube (${names.slice(0, 2).join(', ')})`],
      [`grouping sets ((${a}), (${b}), ())`],
      [`grouping sets ((${a}, ${b}), ${c})`],
      [a, `rollup (${b}, ${c})`],
      [`grouping sets (rollup (${a}), cube (${b}))`],
      [`distinct rollup (${a}, ${b}), rollup (${a}, ${c})`],
    ]);
    const used = names.filter((name) => groupBy.some((group) => group.includes(name)));
    const columns: Fragment[] = [
      ...used.map((name): Fragment => [name]),
      ...(this.#dice.chance(0.7) ? [sql`grouping(${used.join(', ')})`] : []),
      ...this.#dice.list(this.#dice.int(1, 2), () => this.#calls.any(relation)),
    ];
    const having = this.#dice.chance(0.2) ? [this.#condition(relation)] : [];
    const groups = groupBy.map((group): Fragment => [group]);
    const select: Select = { ...this.#from(relation), columns, groupBy: groups, having };
    if (this.#dice.chance(0.5)) return select;
    const orderBy = used.map((each, output): OrderItem => {
      return { expression: [each], direction: this.#selects.direction(), output };
    });
    return this.#selects.limited({ ...select, orderBy }, 0.2);
  }

  #finish(relation: Relation, groups: readonly string[], call: () => Fragment): Select {
    const calls = this.#dice.list(this.#dice.int(0, 3), call);
    const shown = this.#dice.chance(0.9) || calls.length === 0 ? groups : [];
    const columns = [...shown.map((each): Fragment => [each]), ...calls];
    const ordinals = shown.length > 0 && this.#dice.chance(0.2);
    const groupBy = groups.map((each, index): Fragment => [ordinals ? String(index + 1) : each]);
    const select: Select = { ...this.#from(relation), columns, groupBy };
    if (shown.length === 0 || this.#dice.chance(0.35)) return this.#selects.limited(select, 0.1);
    const byAggregate: OrderItem[] = [];
    if (this.#dice.chance(0.12)) byAggregate.push(this.#hiddenItem(relation));
    else if (isExact(calls[0]) && this.#dice.chance(0.3)) {
      byAggregate.push(this.#aggregateItem(groups.length));
    }
    const orderBy = [...byAggregate, ...this.#order(groups)];
    return this.#selects.limited({ ...select, orderBy, isTotal: true }, 0.4);
  }

  /** By an aggregate that is not in the answer. */
  #hiddenItem(relation: Relation): OrderItem {
    const number = columnName(relation, ['int4', 'int2', 'money2'], this.#dice);
    const call = this.#dice.pick(['count(*)', `max(${number})`, `sum(${number}) - count(*)`]);
    return { expression: [call], direction: this.#selects.direction(), output: null };
  }

  /** The first aggregate, by its position. */
  #aggregateItem(output: number): OrderItem {
    const direction = this.#selects.direction();
    return { expression: [String(output + 1)], direction, output };
  }

  /** All grouping columns, in any order: total. */
  #order(groups: readonly string[]): readonly OrderItem[] {
    return this.#dice.shuffle(groups.map((each, output) => ({ each, output }))).map(
      ({ each, output }): OrderItem => ({
        expression: [this.#dice.pick([each, String(output + 1)])],
        direction: this.#selects.direction(),
        output,
      }),
    );
  }

  /** A column or an expression to group by. */
  #group(relation: Relation): string {
    const column = columnName(relation, sortable, this.#dice);
    const int4 = columnName(relation, ['int4'], this.#dice);
    const date = columnName(relation, ['date'], this.#dice);
    const text = columnName(relation, ['text', 'varchar'], this.#dice);
    return this.#dice.pick([
      ...[column, column, column],
      `${int4} % 7`,
      `${int4} is null`,
      `extract(month from ${date})`,
      `date_trunc('month', ${date})`,
      `length(${text})`,
    ]);
  }

  #condition(relation: Relation): Fragment {
    const comparison = this.#dice.pick(['>', '<=', '<>', '>=']);
    const number = columnName(relation, ['int4', 'int2', 'money2'], this.#dice);
    return this.#dice.pick<() => Fragment>([
      () => sql`count(*) ${comparison} ${this.#count(6)}`,
      () => sql`count(*) ${comparison} ${this.#count(6)}`,
      () => sql`sum(${number}) ${comparison} ${this.#count(50)}`,
      () => sql`min(${number}) ${comparison} ${this.#count(9)}`,
      () => sql`avg(${number}) ${comparison} ${this.#count(20)}`,
      () => sql`count(distinct ${number}) ${comparison} ${this.#count(3)}`,
      () => sql`count(${number}) filter (where ${number} > 0) ${comparison} ${this.#count(2)}`,
      () => sql`max(${number}) is not null`,
    ])();
  }

  #count(most: number): Fragment {
    const value = { type: 'int4', text: String(this.#dice.int(0, most)) } as const;
    return slot(value, { asParameter: this.#dice.chance(0.5), typed: true });
  }

  #from({ with: common, from, where }: Relation): Select {
    return { ...emptySelect, with: common, from, where };
  }
}

/** What is computed in floating point may differ in the last digit, and so tell equals apart. */
function isExact(call: Fragment | undefined): boolean {
  return call !== undefined && !inline(call).includes('float8');
}
