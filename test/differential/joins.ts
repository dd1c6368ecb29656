import type { Dice } from './dice.ts';
import { type Fragment, sql } from './fragment.ts';
import { type Predicates, type Source, sortable } from './predicates.ts';
import { emptySelect, type OrderItem, type Query, type Select, unordered } from './query.ts';
import type { Selects } from './selects.ts';
import { columnsOfType, type Table, type Tables } from './table.ts';

type Pair = { readonly one: Source; readonly many: Source };

/** Joins, subqueries and set operations. Aliases: o(ne), m(any), i(tem), d(ocument). */
export class Joins {
  readonly #dice: Dice;
  readonly #predicates: Predicates;
  readonly #selects: Selects;
  readonly #tables: Tables;

  constructor(dice: Dice, predicates: Predicates, selects: Selects, tables: Tables) {
    this.#dice = dice;
    this.#predicates = predicates;
    this.#selects = selects;
    this.#tables = tables;
  }

  /** Inner joins on the keys of one distribution. */
  colocated(): Select {
    const { one, many } = this.#pair();
    const on = this.#dice.pick([
      `o.${one.table.key.name} = m.${many.table.key.name}`,
      `m.${many.table.key.name} = o.${one.table.key.name}`,
    ]);
    const comma = this.#dice.chance(0.3);
    const from = comma
      ? sql`${one.table.name} o, ${many.table.name} m`
      : sql`${one.table.name} o join ${many.table.name} m on ${on}`;
    const where = [...(comma ? [[on]] : []), ...this.#filters([one, many])];
    return this.#shape([one, many], from, where);
  }

  outer(): Select {
    const { one, many } = this.#pair();
    const on = sql`o.${one.table.key.name} = m.${many.table.key.name}`;
    const extra = this.#dice.chance(0.4)
      ? sql` and ${this.#dice.chance(0.5) ? this.#predicates.filter(many) : this.#predicates.oneKey(many)}`
      : [];
    const kind = this.#dice.pick(['left', 'left', 'right', 'full']);
    const from = sql`${one.table.name} o ${kind} join ${many.table.name} m on ${on}${extra}`;
    return this.#shape([one, many], from, this.#filters([one, many]));
  }

  withReference(): Select {
    const table = this.#dice.pick([this.#tables.booking, this.#tables.readingLine]);
    const many: Source = { table, alias: 'm' };
    const item: Source = { table: this.#tables.item, alias: 'i' };
    const kind = this.#dice.pick(['', '', 'left ', 'right ']);
    const from = sql`${table.name} m ${kind}join item i on i.id = m.item_id`;
    return this.#shape([many, item], from, this.#filters([many, item]));
  }

  /** Joins whose rows may lie apart. */
  offKey(): Select {
    const { one, many } = this.#pair();
    const other: Source = { table: this.#tables.grade, alias: 'o' };
    const from = this.#dice.pick([
      sql`${one.table.name} o join ${many.table.name} m on o.rid = m.rid`,
      sql`grade o join ${many.table.name} m on o.n = m.rid`,
      sql`note o join ${many.table.name} m on o.id = m.rid`,
    ]);
    const left = from.join('').startsWith('grade') ? other : one;
    if (from.join('').startsWith('note')) {
      return this.#shape([{ table: this.#tables.note, alias: 'o' }, many], from, []);
    }
    return this.#shape([left, many], from, this.#filters([left, many]));
  }

  subquery(): Query {
    const { one, many } = this.#pair();
    const keys = `o.${one.table.key.name} = m.${many.table.key.name}`;
    const key = one.table.key.name;
    const inner = sql`select m.${many.table.key.name} from ${many.table.name} m where ${this.#predicates.filter(many)}`;
    const no = this.#dice.pick(['', '', 'not ']);
    const condition = this.#dice.pick<() => Fragment>([
      () => sql`${no}exists (select 1 from ${many.table.name} m where ${keys})`,
      () =>
        sql`${no}exists (select from ${many.table.name} m where ${keys} and ${this.#predicates.filter(many)})`,
      () => sql`o.${key} ${no}in (${inner})`,
      () => sql`o.rid in (select id from item)`,
      () => sql`exists (select 1 from item where item.id = o.rid)`,
      () => sql`o.rid < (select count(*) from ${many.table.name})`,
      () => sql`o.rid = (select max(m.rid) from ${many.table.name} m where ${keys})`,
      () => sql`${this.#predicates.oneKey(one)} and o.${key} in (${inner})`,
      () => sql`${this.#predicates.oneKey(one)} and o.rid < (select count(*) from item)`,
    ])();
    const where = this.#dice.shuffle([condition, ...this.#filters([one])]);
    return this.#shape([one], [`${one.table.name} o`], where);
  }

  /** CTEs, derived tables, set operations, windows and other things with more than one level. */
  compound(): Query {
    const { one, many } = this.#pair();
    const key = many.table.key.name;
    const bare: Source = { table: many.table, alias: '' };
    const filter = () => this.#predicates.filter(bare);
    const a = sql`select rid, ${key} from ${many.table.name} where ${filter()}`;
    const b = sql`select rid, ${key} from ${many.table.name} where ${filter()}`;
    const lookup = sql`select rid, ${key} from ${many.table.name} where ${this.#predicates.oneKey(bare)}`;
    const word = this.#dice.pick(['union all', 'union', 'intersect', 'except']);
    const text = this.#dice.pick<() => Fragment>([
      () => sql`${a} ${word} ${b}`,
      () => sql`${a} ${word} ${b} order by 1, 2`,
      () => sql`${lookup} ${word} ${lookup}`,
      () => sql`${lookup} union all ${b}`,
      () => sql`select 1 union all select rid from ${many.table.name}`,
      () => sql`with part as (${a}) select count(*) from part`,
      () => sql`with part as (${lookup}) select * from part`,
      () =>
        sql`with part as (${a}) select p.rid from part p join ${one.table.name} o on o.${one.table.key.name} = p.${key}`,
      () => sql`select * from (${a}) as part`,
      () =>
        sql`select s.n from (select ${key}, count(*) as n from ${many.table.name} group by ${key}) s where s.n > 2`,
      () =>
        sql`select avg(n) from (select count(*) as n from ${many.table.name} group by ${key}) s`,
      () =>
        sql`select max(n) from (select count(*) as n from ${many.table.name} group by rid % 7) s`,
      () =>
        sql`select ${key}, rid, row_number() over (partition by ${key} order by rid) from ${many.table.name}`,
      () => sql`select rid, rank() over (order by rid) from ${many.table.name}`,
      () => sql`select exists (select 1 from ${many.table.name} where ${filter()})`,
      () =>
        sql`select (select count(*) from ${many.table.name}), (select count(*) from ${one.table.name})`,
      () =>
        sql`select (select max(rid) from ${many.table.name} where ${this.#predicates.oneKey(bare)}) as newest`,
      () =>
        sql`select distinct on (${key}) ${key}, rid from ${many.table.name} order by ${key}, rid desc`,
      () =>
        sql`select ${key}, rid from ${many.table.name} where ${this.#predicates.oneKey(bare)} order by rid for update`,
      () => sql`select count(*) from ${many.table.name} tablesample system (100)`,
      () =>
        sql`select m.rid from ${many.table.name} m, lateral (select 1 from item i where i.id = m.item_id) x`,
      () =>
        sql`select rid, generate_series(1, 2) as g from ${many.table.name} where ${this.#predicates.oneKey(bare)}`,
      () => sql`select rid, generate_series(1, 2) as g from ${many.table.name}`,
      () => sql`select date_part('year', now()) > 2000 from ${many.table.name}`,
      () => sql`values (1, 'a'), (2, 'b')`,
      () =>
        sql`select grouping(rid % 2), count(*) from ${many.table.name} group by rollup (rid % 2)`,
    ])();
    return unordered(text);
  }

  #pair(): Pair {
    const { account, booking, reading, readingLine } = this.#tables;
    const [one, many] = this.#dice.pick<readonly [Table, Table]>([
      [account, booking],
      [reading, readingLine],
    ]);
    return { one: { table: one, alias: 'o' }, many: { table: many, alias: 'm' } };
  }

  #filters(sources: readonly Source[]): Fragment[] {
    const filters: Fragment[] = [];
    for (const source of sources) {
      const isDistributed = source.table.kind === 'distributed';
      if (isDistributed && this.#dice.chance(0.25)) filters.push(this.#predicates.oneKey(source));
      else if (isDistributed && this.#dice.chance(0.15))
        filters.push(this.#predicates.manyKeys(source));
      if (this.#dice.chance(0.3)) filters.push(this.#predicates.filter(source));
    }
    return filters;
  }

  /** Rows, sorted rows, counts or groups of the join. */
  #shape(sources: readonly Source[], from: Fragment, where: readonly Fragment[]): Select {
    const all = sources.flatMap((source) =>
      source.table.columns.map((column) => `${source.alias}.${column.name}`),
    );
    const select = { ...emptySelect, from, where };
    if (this.#dice.chance(0.2)) {
      const columns: Fragment[] = [['count(*)'], [`max(${sources[0]?.alias}.rid)`]];
      return { ...select, columns, isTotal: true };
    }
    if (this.#dice.chance(0.2)) {
      const source = this.#dice.pick(sources);
      const column = this.#dice.pick(columnsOfType(source.table, sortable));
      const group: Fragment = [`${source.alias}.${column.name}`];
      return { ...select, columns: [group, ['count(*)']], groupBy: [group] };
    }
    const columns = this.#dice.sample(all, this.#dice.int(1, 4)).map((each): Fragment => [each]);
    if (this.#dice.chance(0.1)) return { ...select, columns: [['*']] };
    if (this.#dice.chance(0.4)) return this.#selects.limited({ ...select, columns }, 0.2);
    const orderBy = sources.map((source): OrderItem => {
      const expression: Fragment = [`${source.alias}.rid`];
      return { expression, direction: this.#selects.direction(), output: null };
    });
    return this.#selects.limited({ ...select, columns, orderBy, isTotal: true }, 0.4);
  }
}
