import type { Dice } from './dice.ts';
import { type Fragment, slot, sql } from './fragment.ts';
import { sortable } from './predicates.ts';
import { emptySelect, type OrderItem, type Select } from './query.ts';
import { columnName, type Relation, rowNumbers } from './relation.ts';
import type { Selects } from './selects.ts';
import type { TypeName } from './value.ts';

/** SELECTs of rows of a relation: sorted, cut, distinct. */
export class Shapes {
  readonly #dice: Dice;
  readonly #selects: Selects;

  constructor(dice: Dice, selects: Selects) {
    this.#dice = dice;
    this.#selects = selects;
  }

  /** Rows, sorted rows, counts or groups. */
  any(relation: Relation): Select {
    const select = this.#from(relation);
    if (this.#dice.chance(0.2)) {
      const columns: Fragment[] = [['count(*)'], [`max(${rowNumbers(relation)[0]})`]];
      return { ...select, columns, isTotal: true };
    }
    if (this.#dice.chance(0.15)) {
      const group: Fragment = [this.#column(relation, sortable)];
      return { ...select, columns: [group, ['count(*)']], groupBy: [group] };
    }
    if (this.#dice.chance(0.1)) return { ...select, columns: [['*']] };
    const columns = this.#columns(relation);
    if (this.#dice.chance(0.35)) return this.#selects.limited({ ...select, columns }, 0.2);
    return this.sorted(relation);
  }

  /** Every row has its place: by anything, then by the numbers of the rows. */
  sorted(relation: Relation): Select {
    const columns = this.#columns(relation);
    const first = this.#dice.list(this.#dice.int(0, 2), () => this.#orderItem(relation));
    const last = rowNumbers(relation).map((rid): OrderItem => {
      return { expression: [rid], direction: this.#selects.direction(), output: null };
    });
    const select = { ...this.#from(relation), columns, orderBy: [...first, ...last] };
    const limited = this.#selects.limited({ ...select, isTotal: true }, 0.5);
    if (limited.limit === null || !this.#dice.chance(0.1)) return limited;
    return { ...limited, limit: this.#computed() };
  }

  /** Ties at the end are all let in. */
  withTies(relation: Relation): Select {
    const columns = this.#columns(relation);
    const orderBy = [this.#orderItem(relation)];
    const limit = slot(
      { type: 'int8', text: String(this.#dice.int(0, 12)) },
      { asParameter: this.#dice.chance(0.4), typed: false },
    );
    return { ...this.#from(relation), columns, orderBy, limit, withTies: true };
  }

  distinct(relation: Relation): Select {
    const columns = this.#dice.list(this.#dice.int(1, 2), (): Fragment => {
      return [this.#dice.chance(0.7) ? this.#column(relation, sortable) : this.#derived(relation)];
    });
    const select: Select = { ...this.#from(relation), distinct: true, columns };
    if (this.#dice.chance(0.4)) return select;
    const orderBy = columns.map((_, output): OrderItem => {
      return { expression: [String(output + 1)], direction: this.#selects.direction(), output };
    });
    return this.#selects.limited({ ...select, orderBy, isTotal: true }, 0.4);
  }

  /** The first row of each group in a total order. */
  distinctOn(relation: Relation): Select {
    const group = this.#dice.pick([
      this.#column(relation, sortable),
      `${relation.sources[0]?.alias}.${relation.sources[0]?.table.key.name}`,
      `${this.#column(relation, ['int4'])} % 5`,
    ]);
    const rids = rowNumbers(relation);
    const columns: Fragment[] = [sql`distinct on (${group}) ${group}`, ...rids.map((rid) => [rid])];
    const first: OrderItem = {
      expression: [group],
      direction: this.#selects.direction(),
      output: 0,
    };
    const rest = rids.map((rid, index): OrderItem => {
      return { expression: [rid], direction: this.#selects.direction(), output: index + 1 };
    });
    const select = { ...this.#from(relation), columns, orderBy: [first, ...rest], isTotal: true };
    return this.#selects.limited(select, 0.3);
  }

  #columns(relation: Relation): readonly Fragment[] {
    return this.#dice.list(this.#dice.int(1, 4), (): Fragment => {
      return [this.#dice.chance(0.8) ? this.#column(relation, anyType) : this.#derived(relation)];
    });
  }

  #column(relation: Relation, types: readonly TypeName[]): string {
    return columnName(relation, types, this.#dice);
  }

  #derived(relation: Relation): string {
    const int4 = this.#column(relation, ['int4']);
    const text = this.#column(relation, ['text', 'varchar']);
    const date = this.#column(relation, ['date']);
    return this.#dice.pick([
      `${int4} % 7`,
      `coalesce(${int4}, -1)`,
      `coalesce(${text}, 'none') || '.'`,
      `${date} + 1`,
      `case when ${int4} > 0 then 'plus' when ${int4} < 0 then 'minus' end`,
      `length(${text})`,
      `${int4} is null`,
      ...relation.sources.map(({ alias }) => `${alias}::text`),
      ...relation.sources.map(({ alias }) => `to_jsonb(${alias}) ? 'rid'`),
      ...relation.sources.map(({ alias }) => `${alias} is null`),
    ]);
  }

  /** A column or an expression, in any collation. */
  #orderItem(relation: Relation): OrderItem {
    const direction = this.#selects.direction();
    const text = this.#column(relation, ['text', 'varchar', 'label']);
    const column = this.#column(relation, sortable);
    const expression = this.#dice.pick([
      ...[column, column, column],
      `${text} collate "und-x-icu"`,
      `${text} collate "C"`,
      `lower(${text})`,
      `length(${text})`,
      `${this.#column(relation, ['int4'])} % 5`,
      `${column} is null`,
    ]);
    return { expression: [expression], direction, output: null };
  }

  /** A LIMIT that is not a plain number. */
  #computed(): Fragment {
    const value = slot({ type: 'int8', text: '5' }, { asParameter: true, typed: true });
    return this.#dice.pick([
      sql`(2 + 3)`,
      sql`(${value} + 1)`,
      sql`(select count(*) from item)`,
      sql`(select max(id) from note)`,
    ]);
  }

  #from({ with: common, from, where }: Relation): Select {
    return { ...emptySelect, with: common, from, where };
  }
}

const anyType: readonly TypeName[] = [...sortable, 'interval', 'jsonb', 'place'];
