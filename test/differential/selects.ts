import type { Dice } from './dice.ts';
import { type Fragment, slot, sql } from './fragment.ts';
import { name, type Predicates, type Source, sortable } from './predicates.ts';
import { emptySelect, type OrderItem, type Select } from './query.ts';
import { type Column, columnsOfType, type Table } from './table.ts';

const integers = ['int2', 'int4', 'int8'] as const;

/** SELECTs over one table: lookups, scans, filters, sorting, limits, DISTINCT. */
export class Selects {
  readonly #dice: Dice;
  readonly #predicates: Predicates;

  constructor(dice: Dice, predicates: Predicates) {
    this.#dice = dice;
    this.#predicates = predicates;
  }

  lookup(table: Table): Select {
    const source = this.#source(table);
    const where = [this.#predicates.oneKey(source), ...this.#filters(source, 0.4)];
    return this.#finish(source, { ...this.#from(source), where: this.#dice.shuffle(where) });
  }

  manyKeys(table: Table): Select {
    const source = this.#source(table);
    const where = [this.#predicates.manyKeys(source), ...this.#filters(source, 0.3)];
    return this.#finish(source, { ...this.#from(source), where });
  }

  scan(table: Table): Select {
    const source = this.#source(table);
    return this.#finish(source, { ...this.#from(source), where: this.#filters(source, 0.7) });
  }

  /** Every row has its place in the order. */
  sorted(table: Table): Select {
    const source = this.#source(table);
    const select = { ...this.#from(source), where: this.#filters(source, 0.5) };
    return this.limited(this.#ordered(source, select, true), 0.6);
  }

  distinct(table: Table): Select {
    const source = this.#source(table);
    const chosen = this.#dice.sample(columnsOfType(table, sortable), this.#dice.int(1, 2));
    const columns = chosen.map((column): Fragment => [name(source, column)]);
    const where = this.#filters(source, 0.5);
    const select = { ...emptySelect, distinct: true, columns, from: from(source), where };
    if (this.#dice.chance(0.4)) return select;
    const orderBy = chosen.map((column, output): OrderItem => {
      const expression = [this.#dice.pick([name(source, column), String(output + 1)])];
      return { expression, direction: this.direction(), output };
    });
    return this.limited({ ...select, orderBy, isTotal: true }, 0.4);
  }

  limited(select: Select, probability: number): Select {
    const count = (low: number, high: number) =>
      slot(
        { type: 'int8', text: String(this.#dice.int(low, high)) },
        { asParameter: this.#dice.chance(0.5), typed: false },
      );
    let limit = this.#dice.chance(probability) ? count(0, 30) : null;
    if (limit !== null && this.#dice.chance(0.08)) limit = [this.#dice.pick(['all', 'null'])];
    const offset = this.#dice.chance(probability / 3) ? count(0, 12) : null;
    return { ...select, limit, offset };
  }

  direction(): string {
    const nulls = this.#dice.pick(['', '', '', ' nulls first', ' nulls last']);
    return `${this.#dice.pick(['', '', ' asc', ' desc', ' desc'])}${nulls}`;
  }

  #source(table: Table): Source {
    return { table, alias: this.#dice.pick(['', 't', table.name]) };
  }

  #from(source: Source): Select {
    return { ...emptySelect, columns: this.#columns(source), from: from(source) };
  }

  #filters(source: Source, probability: number): Fragment[] {
    if (!this.#dice.chance(probability)) return [];
    return this.#dice.list(this.#dice.int(1, 2), () => this.#predicates.filter(source));
  }

  /** `*`, some columns, or columns with expressions. */
  #columns(source: Source): readonly Fragment[] {
    const star = source.alias === '' ? '*' : `${source.alias}.*`;
    if (this.#dice.chance(0.25)) return [['*']];
    if (this.#dice.chance(0.1)) return [[star]];
    const chosen = this.#dice.sample(source.table.columns, this.#dice.int(1, 4));
    const columns = chosen.map((column): Fragment => [name(source, column)]);
    return this.#dice.chance(0.4) ? [...columns, this.#expression(source)] : columns;
  }

  #expression(source: Source): Fragment {
    const column = (types: Parameters<typeof columnsOfType>[1]): string =>
      name(source, this.#dice.pick(columnsOfType(source.table, types)));
    return this.#dice.pick<() => Fragment>([
      // Must not overflow: below a LIMIT the shards compute more rows than one server would.
      () => sql`${column(integers)} % 100 + 1 as plus`,
      () => sql`${column(['money2'])} * 2`,
      () => sql`coalesce(${column(['text'])}, '-') || '!' as "Text"`,
      () => sql`case when ${column(['date'])} > '2000-01-01' then 'new' else 'old' end as age`,
      () => sql`${column(['date'])} + 7`,
      () => sql`length(${column(['text'])})`,
      () => sql`extract(year from ${column(['date'])})`,
      () => sql`${column(integers)}::text`,
      () => sql`'constant' as c`,
      () => sql`null as nothing`,
      () => sql`row(${column(['text'])}, 1)`,
    ])();
  }

  #finish(source: Source, select: Select): Select {
    if (this.#dice.chance(0.45)) return this.limited(select, 0.2);
    const isTotal = this.#dice.chance(0.7);
    return this.limited(this.#ordered(source, select, isTotal), 0.4);
  }

  #ordered(source: Source, select: Select, isTotal: boolean): Select {
    const chosen = this.#dice.sample(columnsOfType(source.table, sortable), this.#dice.int(1, 2));
    const orderBy = chosen.map((column) => this.#orderItem(source, select, column));
    const rowNumber = source.table.columns.find((column) => column.name === 'rid');
    if (isTotal && rowNumber !== undefined) {
      orderBy.push(this.#orderItem(source, select, rowNumber));
    }
    return { ...select, orderBy, isTotal };
  }

  #orderItem(source: Source, select: Select, column: Column): OrderItem {
    const written = name(source, column);
    const direction = this.direction();
    const output = select.columns.findIndex((fragment) => fragment.join() === written);
    if (output >= 0) {
      const expression = [this.#dice.pick([written, String(output + 1)])];
      return { expression, direction, output };
    }
    const expression = this.#dice.chance(0.15) ? `coalesce(${written}, null)` : written;
    return { expression: [expression], direction, output: null };
  }
}

export function from(source: Source): Fragment {
  const { table, alias } = source;
  return [alias === '' || alias === table.name ? table.name : `${table.name} as ${alias}`];
}
