import type { AggregateCalls } from './aggregate-calls.ts';
import type { Dice } from './dice.ts';
import { type Fragment, optional, sql } from './fragment.ts';
import type { Predicates, Source } from './predicates.ts';
import { emptySelect, type Query, type Select } from './query.ts';
import type { Relation } from './relation.ts';
import type { Selects } from './selects.ts';
import type { Shapes } from './shapes.ts';
import { columnsOfType, type Table, type Tables } from './table.ts';

type Inner = { readonly source: Source; readonly isColocated: boolean };

/** Subqueries in every clause: correlated on the key, off it, and not at all. */
export class Subqueries {
  readonly #dice: Dice;
  readonly #predicates: Predicates;
  readonly #selects: Selects;
  readonly #shapes: Shapes;
  readonly #calls: AggregateCalls;
  readonly #tables: Tables;

  constructor(
    dice: Dice,
    tables: Tables,
    parts: {
      readonly predicates: Predicates;
      readonly selects: Selects;
      readonly shapes: Shapes;
      readonly calls: AggregateCalls;
    },
  ) {
    this.#dice = dice;
    this.#tables = tables;
    this.#predicates = parts.predicates;
    this.#selects = parts.selects;
    this.#shapes = parts.shapes;
    this.#calls = parts.calls;
  }

  /** EXISTS, IN, ANY, ALL and comparisons with a scalar, in WHERE. */
  inWhere(): Query {
    const outer = this.#outer();
    const where = this.#dice.list(this.#dice.chance(0.15) ? 2 : 1, () => this.#condition(outer));
    return this.#shapes.any(this.#relation(outer, where));
  }

  /** Scalars and EXISTS in the select list. */
  inColumns(): Query {
    const outer = this.#outer();
    const columns = this.#dice.list(this.#dice.int(1, 2), () => this.#scalar(outer));
    const select: Select = {
      ...this.#from(outer),
      columns: [['o.rid'], ...columns],
      orderBy: [{ expression: ['o.rid'], direction: this.#selects.direction(), output: 0 }],
      isTotal: true,
    };
    return this.#selects.limited(select, 0.4);
  }

  inHaving(): Query {
    const outer = this.#outer();
    const group = this.#dice.pick([outer.table.key.name, ...this.#int4(outer)]);
    const scalar = this.#uncorrelated();
    const having = this.#dice.pick([
      sql`count(*) >= (${scalar})`,
      sql`max(o.rid) > (${scalar})`,
      sql`count(*) in (select rid from item)`,
      sql`exists (select 1 from item where item.id = max(o.rid))`,
    ]);
    const columns: Fragment[] = [[`o.${group}`], ['count(*)']];
    return { ...this.#from(outer), columns, groupBy: [[`o.${group}`]], having: [having] };
  }

  inOrderBy(): Query {
    const outer = this.#outer();
    const select: Select = {
      ...this.#from(outer),
      columns: [['o.rid']],
      orderBy: [
        { expression: this.#scalar(outer), direction: this.#selects.direction(), output: null },
        { expression: ['o.rid'], direction: '', output: 0 },
      ],
      isTotal: true,
    };
    return this.#selects.limited(select, 0.5);
  }

  /** No table in the outer query, or a CASE around it. */
  alone(): Query {
    const outer = this.#outer();
    const filter = () => this.#predicates.filter({ table: outer.table, alias: '' });
    const name = outer.table.name;
    const columns: Fragment[] = this.#dice.pick<() => Fragment[]>([
      () => [sql`exists (select 1 from ${name} where ${filter()})`],
      () => [sql`not exists (select from ${name} where ${filter()} and rid < 0)`],
      () => [sql`(${this.#uncorrelated()})`, sql`(${this.#uncorrelated()})`],
      () => [
        sql`(select max(rid) from ${name} where ${this.#predicates.oneKey({ table: outer.table, alias: '' })}) as newest`,
      ],
      () => [
        sql`case when (${this.#uncorrelated()}) > 5 then (${this.#uncorrelated()}) else -1 end`,
      ],
      () => [sql`array(select rid from ${name} where ${filter()} order by rid)`],
      () => [sql`3 = any(select rid from ${name})`, sql`-1 < all(select rid from ${name})`],
      () => [sql`(select o.rid from ${name} o order by o.rid desc limit 1)`],
      () => [sql`coalesce((select sum(rid) from ${name} where ${filter()}), 0) + 1`],
    ])();
    return { ...emptySelect, columns, isTotal: true };
  }

  /** In the ON of a join, or as one side of it. */
  inJoin(): Query {
    const outer = this.#outer();
    const inner = this.#inner(outer);
    const { table } = inner.source;
    const condition = optional(sql` where ${this.#predicates.filter(inner.source)}`);
    const kind = this.#dice.pick(['', 'left ']);
    const from = this.#dice.pick([
      sql`${outer.table.name} o ${kind}join item i on i.id = o.rid and o.rid < (${this.#uncorrelated()})`,
      sql`${outer.table.name} o ${kind}join (select max(m.rid) as top from ${table.name} m${condition}) x on o.rid <= x.top`,
      sql`${outer.table.name} o ${kind}join (select distinct m.rid from ${table.name} m${condition}) x on o.rid = x.rid`,
      sql`${outer.table.name} o ${kind}join (select m.rid from ${table.name} m${condition} order by m.rid limit 9) x on o.rid = x.rid`,
    ]);
    const columns: Fragment[] = [['count(*)'], ['sum(o.rid)']];
    return { ...emptySelect, columns, from, where: [], isTotal: true };
  }

  #condition(outer: Source): Fragment {
    const inner = this.#inner(outer);
    const { table } = inner.source;
    const no = this.#dice.pick(['', '', 'not ']);
    const key = outer.table.key.name;
    const filter = optional(sql` and ${this.#predicates.filter(inner.source)}`);
    const meets = this.#meets(outer, inner);
    const int4 = this.#int4Name(table);
    const comparison = this.#dice.pick(['=', '<', '>', '<>', '<=']);
    return this.#dice.pick<() => Fragment>([
      () => sql`${no}exists (select 1 from ${table.name} m where ${meets}${filter})`,
      () => sql`${no}exists (select from ${table.name} m where ${meets} and m.rid <> o.rid)`,
      () => sql`o.rid ${no}in (select m.rid from ${table.name} m where true${filter})`,
      () =>
        sql`o.${this.#int4Name(outer.table)} ${no}in (select m.${int4} from ${table.name} m where true${filter})`,
      () =>
        sql`o.${this.#int4Name(outer.table)} ${no}in (select m.${int4} from ${table.name} m where ${meets})`,
      () =>
        inner.isColocated
          ? sql`o.${key} ${no}in (select m.${table.key.name} from ${table.name} m where true${filter})`
          : sql`(o.rid, 1) ${no}in (select m.rid, 1 from ${table.name} m)`,
      () => sql`o.rid ${comparison} (select count(*) from ${table.name} m where ${meets}${filter})`,
      () => sql`o.rid ${comparison} (select max(m.rid) from ${table.name} m where ${meets})`,
      () => sql`o.rid ${comparison} (${this.#uncorrelated()})`,
      () => sql`o.rid ${comparison} any(select m.rid from ${table.name} m where m.rid < 9)`,
      () => sql`o.rid ${comparison} all(select m.rid from ${table.name} m where ${meets})`,
      () => sql`(o.rid < 9 or ${no}exists (select 1 from ${table.name} m where ${meets}))`,
      () =>
        sql`${this.#predicates.oneKey(outer)} and ${no}exists (select 1 from ${table.name} m where ${meets})`,
    ])();
  }

  /** One value for each row of the outer table. */
  #scalar(outer: Source): Fragment {
    const inner = this.#inner(outer);
    const { table } = inner.source;
    const meets = this.#meets(outer, inner);
    const filter = optional(sql` and ${this.#predicates.filter(inner.source)}`);
    const relation = { with: [], from: [], where: [], sources: [inner.source] };
    return this.#dice.pick<() => Fragment>([
      () =>
        sql`(select ${this.#calls.simple(relation)} from ${table.name} m where ${meets}${filter})`,
      () => sql`(select m.rid from ${table.name} m where ${meets}${filter} order by m.rid limit 1)`,
      () => sql`exists (select 1 from ${table.name} m where ${meets}${filter})`,
      () => sql`(${this.#uncorrelated()})`,
      () => sql`(select i.rid from item i where i.id = o.rid)`,
      () => sql`o.rid in (select m.rid from ${table.name} m where true${filter})`,
    ])();
  }

  #uncorrelated(): Fragment {
    const table = this.#dice.pick([
      this.#tables.booking,
      this.#tables.grade,
      this.#tables.item,
      this.#tables.note,
    ]);
    const filter = optional(sql` where ${this.#predicates.filter({ table, alias: '' })}`);
    const call = this.#dice.pick(['count(*)', 'max(rid)', 'round(avg(rid))', 'min(rid) + 3']);
    return sql`select ${call} from ${table.name}${filter}`;
  }

  /** The condition that ties the inner table to the outer one. */
  #meets(outer: Source, inner: Inner): string {
    const key = `o.${outer.table.key.name} = m.${inner.source.table.key.name}`;
    if (inner.isColocated && this.#dice.chance(0.75)) return key;
    return this.#dice.pick(['m.rid = o.rid', 'm.rid = o.rid', 'm.rid < o.rid and m.rid < 20']);
  }

  #outer(): Source {
    const { account, booking, reading, grade, item, note } = this.#tables;
    const table = this.#dice.pick([account, account, booking, reading, reading, grade, item, note]);
    return { table, alias: 'o' };
  }

  #inner(outer: Source): Inner {
    const { booking, readingLine, grade, item, note, vacant } = this.#tables;
    const sibling = this.#dice.chance(0.7) ? this.#sibling(outer.table) : null;
    if (sibling !== null) return { source: { table: sibling, alias: 'm' }, isColocated: true };
    const table = this.#dice.pick([booking, readingLine, grade, item, note, vacant]);
    return { source: { table, alias: 'm' }, isColocated: false };
  }

  #sibling(table: Table): Table | null {
    const { account, booking, reading, readingLine } = this.#tables;
    if (table === account || table === booking) return booking;
    return table === reading ? readingLine : null;
  }

  #int4(source: Source): readonly string[] {
    return columnsOfType(source.table, ['int4']).map((column) => column.name);
  }

  #int4Name(table: Table): string {
    return this.#dice.pick(columnsOfType(table, ['int4'])).name;
  }

  #relation(outer: Source, where: readonly Fragment[]): Relation {
    const { from } = this.#from(outer);
    const filters = this.#dice.chance(0.2) ? [this.#predicates.filter(outer)] : [];
    return { with: [], from, where: [...where, ...filters], sources: [outer] };
  }

  #from(outer: Source): Select {
    return { ...emptySelect, from: [`${outer.table.name} o`] };
  }
}
