import type { Dice } from './dice.ts';
import { type Fragment, optional, sql } from './fragment.ts';
import type { Predicates, Source } from './predicates.ts';
import type { Relation } from './relation.ts';
import { from } from './selects.ts';
import { columnsOfType, type Table, type Tables } from './table.ts';

type Pair = { readonly one: Source; readonly many: Source };

/** What can stand after FROM: tables, joins of every kind, subqueries, VALUES, CTEs. */
export class Relations {
  readonly #dice: Dice;
  readonly #predicates: Predicates;
  readonly #tables: Tables;

  constructor(dice: Dice, predicates: Predicates, tables: Tables) {
    this.#dice = dice;
    this.#predicates = predicates;
    this.#tables = tables;
  }

  /** Mostly one table, so that what is done with the rows is what is tested. */
  any(): Relation {
    if (this.#dice.chance(0.65)) return this.single(this.distributed());
    return this.#dice.pick([
      () => this.colocated(),
      () => this.outer(),
      () => this.withReference(),
      () => this.withHome(),
      () => this.offKey(),
      () => this.lateral(),
      () => this.derived(),
      () => this.grouped(),
      () => this.common(),
      () => this.naturally(),
    ])();
  }

  distributed(): Table {
    const { account, booking, reading, readingLine, document, grade, vacant } = this.#tables;
    return this.#dice.pick([
      ...[account, booking, booking, reading, readingLine, readingLine, document, grade, grade],
      vacant,
    ]);
  }

  single(table: Table): Relation {
    const source = { table, alias: this.#dice.pick(['t', 't', table.name]) };
    return { with: [], from: from(source), where: this.#filters([source]), sources: [source] };
  }

  /** On the keys of one distribution. */
  colocated(): Relation {
    const { one, many } = this.#pair();
    const on = this.#keysMeet(one, many);
    const where = this.#filters([one, many]);
    const sources = [one, many];
    if (this.#dice.chance(0.3)) {
      const from = sql`${one.table.name} o, ${many.table.name} m`;
      return { with: [], from, where: [[on], ...where], sources };
    }
    const other: Source = { table: many.table, alias: 'p' };
    if (this.#dice.chance(0.2)) {
      const third = sql` join ${other.table.name} p on ${this.#keysMeet(many, other)} and p.rid % 4 = m.rid % 4`;
      const from = sql`${one.table.name} o join ${many.table.name} m on ${on}${third}`;
      return { with: [], from, where, sources: [...sources, other] };
    }
    const from = sql`${one.table.name} o join ${many.table.name} m on ${on}`;
    return { with: [], from, where, sources };
  }

  outer(): Relation {
    const { one, many } = this.#pair();
    const extra = this.#dice.pick([
      (): Fragment => [],
      () => optional(sql` and ${this.#predicates.filter(many)}`),
      () => optional(sql` and ${this.#predicates.filter(one)}`),
      () => optional(sql` and ${this.#predicates.oneKey(many)}`),
    ])();
    const kind = this.#dice.pick(['left', 'left', 'right', 'full']);
    // FULL JOIN wants a condition that can be merged or hashed.
    const on = kind === 'full' && this.#dice.chance(0.7) ? [] : extra;
    const from = sql`${one.table.name} o ${kind} join ${many.table.name} m on ${this.#keysMeet(one, many)}${on}`;
    return { with: [], from, where: this.#filters([one, many]), sources: [one, many] };
  }

  withReference(): Relation {
    const many: Source = { table: this.#itemHolder(), alias: 'm' };
    const item: Source = { table: this.#tables.item, alias: 'i' };
    const kind = this.#dice.pick(['', '', 'left ', 'left ', 'right ', 'full ']);
    const from = this.#dice.pick([
      sql`${many.table.name} m ${kind}join item i on i.id = m.item_id`,
      sql`item i ${kind}join ${many.table.name} m on i.id = m.item_id`,
    ]);
    return { with: [], from, where: this.#filters([many, item]), sources: [many, item] };
  }

  withHome(): Relation {
    const many: Source = { table: this.#itemHolder(), alias: 'm' };
    const note: Source = { table: this.#tables.note, alias: 'n' };
    const kind = this.#dice.pick(['', '', 'left ', 'right ', 'full ']);
    const on = this.#dice.pick(['n.id = m.item_id', 'n.rid = m.rid', 'm.item_id = n.id']);
    const from = this.#dice.pick([
      sql`${many.table.name} m ${kind}join note n on ${on}`,
      sql`note n ${kind}join ${many.table.name} m on ${on}`,
    ]);
    return { with: [], from, where: this.#filters([many, note]), sources: [many, note] };
  }

  /** Matching rows may lie apart. */
  offKey(): Relation {
    const [a, b] = this.#dice.sample(this.#joinable(), 2);
    if (a === undefined || b === undefined) throw new Error('there are more than two tables');
    const one: Source = { table: a, alias: 'o' };
    const many: Source = { table: b, alias: 'm' };
    const int4 = (source: Source) => this.#columnOf(source, 'int4');
    const date = (source: Source) => this.#columnOf(source, 'date');
    const on = this.#dice.pick([
      'o.rid = m.rid',
      'o.rid = m.rid',
      `${int4(one)} = ${int4(many)}`,
      `${date(one)} = ${date(many)}`,
      `o.rid = ${int4(many)}`,
      'o.rid = m.rid + 1',
      'o.rid < 4 and m.rid < o.rid',
    ]);
    const kind = this.#dice.pick(['', '', '', 'left ', 'right ', 'full ']);
    const mergeable = kind !== 'full ' || !on.includes('<');
    const from = mergeable
      ? sql`${a.name} o ${kind}join ${b.name} m on ${on}`
      : sql`${a.name} o cross join ${b.name} m`;
    const few: Fragment[] = mergeable ? [] : [['o.rid < 6 and m.rid < 9']];
    return { with: [], from, where: [...few, ...this.#filters([one, many])], sources: [one, many] };
  }

  lateral(): Relation {
    const { one, many } = this.#pair();
    const int4: Source = { table: counted(many.table), alias: 'x' };
    const keys = this.#keysMeet(one, many);
    const on = this.#dice.chance(0.75) ? keys : 'm.rid = o.rid';
    const condition = optional(sql` and ${this.#predicates.filter(many)}`);
    const { name: key } = many.table.key;
    const [inside, source] = this.#dice.pick<readonly [Fragment, Source]>([
      [
        sql`select m.${key}, count(*)::int4 as n, max(m.rid) as rid from ${many.table.name} m where ${on}${condition} group by m.${key}`,
        int4,
      ],
      [
        sql`select m.* from ${many.table.name} m where ${on}${condition} order by m.rid desc limit 2`,
        { table: many.table, alias: 'x' },
      ],
    ]);
    const kind = this.#dice.pick([', lateral', ' cross join lateral', ' left join lateral']);
    const end = kind.includes('left') ? ' on true' : '';
    const from = sql`${one.table.name} o${kind} (${inside}) x${end}`;
    return { with: [], from, where: this.#filters([one]), sources: [one, source] };
  }

  /** A subquery with all the columns of a table. */
  derived(): Relation {
    const table = this.distributed();
    const inner: Source = { table, alias: 'b' };
    const condition = optional(sql` where ${this.#predicates.filter(inner)}`);
    const limit = this.#dice.chance(0.3)
      ? optional(sql` order by b.rid limit ${String(this.#dice.int(1, 40))}`)
      : [];
    const source: Source = { table, alias: 'd' };
    const from = sql`(select b.* from ${table.name} b${condition}${limit}) as d`;
    return { with: [], from, where: this.#filters([source]), sources: [source] };
  }

  /** A subquery that groups: by the key, or by something else. */
  grouped(): Relation {
    const table = this.#dice.pick([this.#tables.booking, this.#tables.readingLine]);
    const inner: Source = { table, alias: 'b' };
    const byKey = this.#dice.chance(0.5);
    const key = byKey ? `b.${table.key.name}` : `max(b.${table.key.name}) as ${table.key.name}`;
    const groups = byKey ? `b.${table.key.name}` : 'b.rid % 9';
    const condition = optional(sql` where ${this.#predicates.filter(inner)}`);
    const source: Source = { table: counted(table), alias: 'd' };
    const from = sql`(select ${key}, count(*)::int4 as n, min(b.rid) as rid from ${table.name} b${condition} group by ${groups}) d`;
    return { with: [], from, where: this.#filters([source]), sources: [source] };
  }

  /** WITH, read once or twice; sometimes under the name of a table. */
  common(): Relation {
    const table = this.#dice.pick([
      this.#tables.booking,
      this.#tables.readingLine,
      this.#tables.grade,
    ]);
    const inner: Source = { table, alias: '' };
    const called = this.#dice.pick(['part', 'part', table.name]);
    const hint = this.#dice.pick(['', '', ' materialized', ' not materialized']);
    const condition = optional(sql` where ${this.#predicates.filter(inner)}`);
    // A CTE that is called like its table reads the table, unless it is recursive.
    const common = sql`${called} as${hint} (select * from ${table.name}${condition})`;
    const source: Source = { table, alias: 'd' };
    if (this.#dice.chance(0.5)) {
      const where = this.#filters([source]);
      return { with: [common], from: [`${called} d`], where, sources: [source] };
    }
    const twin: Source = { table, alias: 'e' };
    const key = table.key.name;
    const on = this.#dice.pick([`d.${key} = e.${key} and d.rid = e.rid`, 'd.rid = e.rid']);
    const kind = this.#dice.pick(['', '', 'left ', 'full ']);
    const from = sql`${called} d ${kind}join ${called} e on ${on}`;
    return { with: [common], from, where: this.#filters([source, twin]), sources: [source, twin] };
  }

  /** USING and NATURAL, over subqueries whose other columns have names of their own. */
  naturally(): Relation {
    const { account, booking, item } = this.#tables;
    const kind = this.#dice.pick(['', '', 'left ', 'right ', 'full ']);
    const all = (table: Table, alias: string): Source => ({ table, alias });
    if (this.#dice.chance(0.5)) {
      const sources = [all(account, 'o'), all(booking, 'm')];
      const from = sql`account o ${kind}join booking m using (cust_id)`;
      const where = kind === '' ? this.#filters(sources) : [];
      return { with: [], from, where, sources };
    }
    const left = renamed(account, { ...account.key, alias: 'cust_id' }, 'o', 'rid');
    const right = this.#dice.chance(0.5)
      ? renamed(booking, { ...booking.key, alias: 'cust_id' }, 'm', 'mrid')
      : renamed(item, { name: 'id', alias: 'rid' }, 'm', 'mrid');
    const from = sql`${left.from} natural ${kind}join ${right.from}`;
    return { with: [], from, where: [], sources: [left.source, right.source] };
  }

  #pair(): Pair {
    const { account, booking, reading, readingLine } = this.#tables;
    const [one, many] = this.#dice.pick<readonly [Table, Table]>([
      [account, booking],
      [reading, readingLine],
    ]);
    return { one: { table: one, alias: 'o' }, many: { table: many, alias: 'm' } };
  }

  #keysMeet(one: Source, many: Source): string {
    const left = `${one.alias}.${one.table.key.name}`;
    const right = `${many.alias}.${many.table.key.name}`;
    return this.#dice.pick([`${left} = ${right}`, `${right} = ${left}`]);
  }

  #itemHolder(): Table {
    return this.#dice.pick([this.#tables.booking, this.#tables.readingLine]);
  }

  #joinable(): readonly Table[] {
    const { account, booking, reading, readingLine, document, grade, item, note } = this.#tables;
    return [account, booking, reading, readingLine, document, grade, item, note];
  }

  #columnOf(source: Source, type: 'int4' | 'date'): string {
    const columns = columnsOfType(source.table, [type]).filter((each) => each !== source.table.key);
    return `${source.alias}.${this.#dice.pick(columns).name}`;
  }

  #filters(sources: readonly Source[]): Fragment[] {
    return sources.flatMap((source) => {
      const isDistributed = source.table.kind === 'distributed';
      const filters: Fragment[] = [];
      const keyed = isDistributed ? this.#dice.next() : 1;
      if (keyed < 0.15) filters.push(this.#predicates.oneKey(source));
      else if (keyed < 0.28) filters.push(this.#predicates.manyKeys(source));
      if (this.#dice.chance(0.3)) filters.push(this.#predicates.filter(source));
      return filters;
    });
  }
}

/** The key, how many, and one of their numbers. */
function counted(table: Table): Table {
  const { key } = table;
  return {
    ...table,
    keyIsUnique: false,
    columns: [
      { ...key, nullable: true },
      { name: 'rid', type: 'int8', nullable: true },
      { name: 'n', type: 'int4', nullable: true },
    ],
  };
}

/** A subquery of a few columns, named so that NATURAL JOIN finds one that is common. */
function renamed(
  table: Table,
  common: { readonly name: string; readonly alias: string },
  alias: string,
  rowNumber: string,
): { readonly from: string; readonly source: Source } {
  const chosen = (['int4', 'text', 'date'] as const).flatMap((type) =>
    columnsOfType(table, [type])
      .filter((column) => column.name.startsWith(`${type}_`))
      .slice(0, 1),
  );
  const columns = [
    { name: rowNumber, type: 'int8', nullable: true } as const,
    ...chosen.map((column) => ({ ...column, name: `${alias}_${column.name}` })),
  ];
  const listed = [
    `${common.name} as ${common.alias}`,
    `rid as ${rowNumber}`,
    ...chosen.map((column) => `${column.name} as ${alias}_${column.name}`),
  ];
  const from = `(select ${listed.join(', ')} from ${table.name}) ${alias}`;
  return { from, source: { table: { ...table, columns }, alias } };
}
