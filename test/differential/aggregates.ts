import type { Dice } from './dice.ts';
import { type Fragment, sql } from './fragment.ts';
import { name, type Predicates, type Source, sortable } from './predicates.ts';
import { emptySelect, type OrderItem, type Select } from './query.ts';
import { from, type Selects } from './selects.ts';
import { type Column, columnsOfType, type Table } from './table.ts';
import type { TypeName } from './value.ts';

const summable: readonly TypeName[] = [
  ...(['int2', 'int4', 'int8', 'numeric', 'money2', 'float4', 'float8'] as const),
];
const comparable: readonly TypeName[] = [
  ...(['int2', 'int4', 'int8', 'numeric', 'money2', 'float4', 'float8', 'text'] as const),
  ...(['label', 'varchar', 'bpchar', 'date', 'time', 'timestamp', 'timestamptz'] as const),
];

/** Aggregates over one table, with and without GROUP BY. */
export class Aggregates {
  readonly #dice: Dice;
  readonly #predicates: Predicates;
  readonly #selects: Selects;

  constructor(dice: Dice, predicates: Predicates, selects: Selects) {
    this.#dice = dice;
    this.#predicates = predicates;
    this.#selects = selects;
  }

  ungrouped(table: Table): Select {
    const source = { table, alias: this.#dice.pick(['', 't']) };
    const columns = this.#dice.list(this.#dice.int(1, 4), () => this.call(source));
    const where = this.#where(source);
    const select = { ...emptySelect, columns, from: from(source), where, isTotal: true };
    return this.#dice.chance(0.1) ? this.#selects.limited(select, 0.9) : select;
  }

  grouped(table: Table): Select {
    const source = { table, alias: this.#dice.pick(['', 't']) };
    const candidates = columnsOfType(table, sortable).filter((column) => column.name !== 'rid');
    return this.#group(source, this.#dice.sample(candidates, this.#dice.int(1, 2)));
  }

  /** Whole groups lie on one shard. */
  groupedByKey(table: Table): Select {
    const source = { table, alias: this.#dice.pick(['', 't']) };
    const others = columnsOfType(table, sortable).filter((column) => column !== table.key);
    const more = this.#dice.chance(0.3) ? [this.#dice.pick(others)] : [];
    const select = this.#group(source, this.#dice.shuffle([table.key, ...more]));
    if (this.#dice.chance(0.5)) return select;
    return {
      ...select,
      having: [sql`count(*) ${this.#dice.pick(['>', '<='])} ${String(this.#dice.int(1, 4))}`],
    };
  }

  having(table: Table): Select {
    const having: Fragment[] = [sql`count(*) > ${String(this.#dice.int(1, 9))}`];
    return { ...this.grouped(table), having };
  }

  /** Forms that need more than adding partial results. */
  elaborate(table: Table): Select {
    const source = { table, alias: 't' };
    const column = (types: readonly TypeName[]) =>
      name(source, this.#dice.pick(columnsOfType(table, types)));
    const date = columnsOfType(table, ['date'])[0] ?? table.key;
    const expression = this.#dice.pick<() => Fragment>([
      () => sql`count(distinct ${column(comparable)})`,
      () => sql`sum(distinct ${column(['int4'])})`,
      () => sql`coalesce(sum(${column(['int4'])}), 0)`,
      () => sql`sum(${column(['money2'])}) / count(*)`,
      () => sql`round(avg(${column(['money2'])}), 2)`,
      () => sql`string_agg(${column(['text'])}, ',' order by t.rid)`,
      () => sql`array_agg(t.rid order by t.rid)`,
      () => sql`percentile_disc(0.5) within group (order by ${column(['int4'])})`,
      () => sql`count(*) filter (where ${this.#predicates.filter(source)})`,
      () => sql`sum(${column(['int4'])}) filter (where ${this.#predicates.filter(source)})`,
      () => sql`max(${column(['int4'])}) - min(${column(['int4'])})`,
      () => sql`bit_or(${column(['int4'])})`,
      () => sql`sum(${column(['int4'])} + 1)`,
    ])();
    const select = { ...emptySelect, from: from(source), where: this.#where(source) };
    if (this.#dice.chance(0.5)) return { ...select, columns: [expression], isTotal: true };
    const group: Fragment = this.#dice.pick([
      [name(source, date)],
      sql`extract(month from ${name(source, date)})`,
      sql`${name(source, date)} + 1`,
      sql`length(${column(['text'])})`,
    ]);
    const shown = this.#dice.chance(0.8);
    return { ...select, columns: shown ? [group, expression] : [expression], groupBy: [group] };
  }

  call(source: Source): Fragment {
    const column = (types: readonly TypeName[]): string | null => {
      const columns = columnsOfType(source.table, types);
      return columns.length === 0 ? null : name(source, this.#dice.pick(columns));
    };
    const bool = column(['bool']);
    return this.#dice.pick<() => Fragment>([
      () => sql`count(*)`,
      () => sql`count(*) as n`,
      () => sql`count(${name(source, this.#dice.pick(source.table.columns))})`,
      () => sql`sum(${column(summable) ?? '1'})`,
      () => sql`sum(${column(summable) ?? '1'}) as total`,
      () => sql`avg(${column(summable) ?? '1'})`,
      () => sql`min(${column(comparable) ?? '1'})`,
      () => sql`max(${column(comparable) ?? '1'})`,
      () => (bool === null ? sql`count(1)` : sql`bool_and(${bool})`),
      () =>
        bool === null ? sql`count(*)` : sql`${this.#dice.pick(['bool_or', 'every'])}(${bool})`,
    ])();
  }

  #where(source: Source): Fragment[] {
    if (this.#dice.chance(0.4)) return [];
    if (this.#dice.chance(0.2)) return [['false']];
    return this.#dice.chance(0.3) && source.table.kind === 'distributed'
      ? [this.#predicates.manyKeys(source)]
      : [this.#predicates.filter(source)];
  }

  #group(source: Source, groups: readonly Column[]): Select {
    const names = groups.map((column) => name(source, column));
    const calls = this.#dice.list(this.#dice.int(0, 3), () => this.call(source));
    const columns: readonly Fragment[] = [...names.map((each): Fragment => [each]), ...calls];
    const select: Select = {
      ...emptySelect,
      columns,
      from: from(source),
      where: this.#where(source),
      groupBy: this.#groupBy(names),
    };
    if (this.#dice.chance(0.4)) return this.#selects.limited(select, 0.1);
    return this.#selects.limited({ ...select, orderBy: this.#order(names), isTotal: true }, 0.4);
  }

  #groupBy(names: readonly string[]): readonly Fragment[] {
    const ordinals = this.#dice.chance(0.2);
    return names.map((each, index) => [ordinals ? String(index + 1) : each]);
  }

  /** All grouping columns, in any order: total. */
  #order(names: readonly string[]): readonly OrderItem[] {
    return this.#dice.shuffle(names.map((each, output) => ({ each, output }))).map(
      ({ each, output }): OrderItem => ({
        expression: [this.#dice.pick([each, String(output + 1)])],
        direction: this.#selects.direction(),
        output,
      }),
    );
  }
}
