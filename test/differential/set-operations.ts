import type { Dice } from './dice.ts';
import { type Fragment, optional, sql } from './fragment.ts';
import type { Predicates, Source } from './predicates.ts';
import { type Compound, compound, emptySelect, type OrderItem, type Query } from './query.ts';
import type { Relations } from './relations.ts';
import type { Selects } from './selects.ts';
import { columnsOfType, type Table, type Tables } from './table.ts';

const words = [
  ...['union all', 'union all', 'union', 'intersect', 'intersect all', 'except', 'except all'],
] as const;

/** UNION, INTERSECT and EXCEPT, with and without ALL, nested, sorted and cut; VALUES. */
export class SetOperations {
  readonly #dice: Dice;
  readonly #predicates: Predicates;
  readonly #selects: Selects;
  readonly #relations: Relations;
  readonly #tables: Tables;

  constructor(
    dice: Dice,
    tables: Tables,
    parts: {
      readonly predicates: Predicates;
      readonly selects: Selects;
      readonly relations: Relations;
    },
  ) {
    this.#dice = dice;
    this.#tables = tables;
    this.#predicates = parts.predicates;
    this.#selects = parts.selects;
    this.#relations = parts.relations;
  }

  any(): Query {
    const arms = this.#arms();
    const others = this.#dice
      .list(this.#dice.pick([1, 1, 1, 2, 3]), arms.next)
      .map((arm) => this.#joined(arm));
    const query = compound(arms.next(), others);
    if (this.#dice.chance(0.2)) return this.#inside(query);
    if (this.#dice.chance(0.5)) return query;
    return this.#sorted(query, arms.width);
  }

  values(): Query {
    const rows = "values (3, 'c'), (1, 'a'), (null, null), (2, 'b'), (1, 'A')";
    const table = this.#relations.distributed();
    return this.#dice.pick<() => Query>([
      () => compound([rows], []),
      () => ({
        ...compound([rows], []),
        orderBy: [{ expression: ['1'], direction: this.#selects.direction(), output: 0 }],
      }),
      () => compound([rows], [sql` union all select rid::int4, 'row' from ${table.name}`]),
      () => ({
        ...emptySelect,
        columns: [['v.n'], ['v.name'], ['t.rid']],
        from: sql`(${rows}) v(n, name) ${this.#dice.pick(['', 'left '])}join ${table.name} t on t.rid = v.n`,
      }),
      () => ({
        ...emptySelect,
        columns: [['count(*)']],
        from: [table.name],
        where: [sql`rid in (values (1), (7), (9))`],
        isTotal: true,
      }),
    ])();
  }

  /** Makes arms with the same columns. */
  #arms(): { readonly width: number; next(): Fragment } {
    const kind = this.#dice.pick(['rids', 'keys', 'int4', 'pairs', 'groups']);
    const { account, booking, reading, readingLine } = this.#tables;
    const family = this.#dice.pick([
      [account, booking, booking],
      [reading, readingLine, readingLine],
    ]);
    const table = (): Table => {
      if (kind === 'keys' || kind === 'pairs') return this.#dice.pick(family);
      return this.#dice.chance(0.15)
        ? this.#dice.pick([this.#tables.item, this.#tables.note])
        : this.#relations.distributed();
    };
    const columns = (from: Table): string => {
      const int4 = this.#dice.pick(columnsOfType(from, ['int4'])).name;
      if (kind === 'rids') return 'rid';
      if (kind === 'keys') return from.key.name;
      if (kind === 'int4') return int4;
      if (kind === 'pairs') return `${from.key.name}, rid`;
      return `${int4} % 5, count(*)`;
    };
    const next = (): Fragment => {
      const from = table();
      const source: Source = { table: from, alias: '' };
      const listed = columns(from);
      const group = kind === 'groups' ? sql` group by ${listed.split(',')[0] ?? ''}` : [];
      const where = this.#dice.chance(0.6) ? sql` where ${this.#filter(source)}` : [];
      const arm = sql`select ${listed} from ${from.name}${optional(where)}${group}`;
      if (kind !== 'rids' || !this.#dice.chance(0.15)) return arm;
      return sql`(${arm} order by rid limit ${String(this.#dice.int(0, 9))})`;
    };
    return { width: kind === 'pairs' || kind === 'groups' ? 2 : 1, next };
  }

  #joined(arm: Fragment): Fragment {
    const word = this.#dice.pick(words);
    if (!this.#dice.chance(0.2)) return sql` ${word} ${arm}`;
    return sql` ${word} (${arm} ${this.#dice.pick(words)} ${arm})`;
  }

  /** All columns sort, so that the order is total: equal rows look the same. */
  #sorted(query: Compound, width: number): Compound {
    const outputs = this.#dice.shuffle(Array.from({ length: width }, (_, index) => index));
    const orderBy = outputs.map((output): OrderItem => {
      return { expression: [String(output + 1)], direction: this.#selects.direction(), output };
    });
    const select = this.#selects.limited({ ...emptySelect, orderBy, isTotal: true }, 0.5);
    return { ...query, orderBy, limit: select.limit, offset: select.offset, isTotal: true };
  }

  /** As a subquery. */
  #inside({ first, others }: Compound): Query {
    const from = sql`(${first}${others.flatMap((each) => optional(each))}) as u`;
    const columns: Fragment[] = [['count(*)'], ['count(distinct u)']];
    return { ...emptySelect, columns, from, isTotal: true };
  }

  #filter(source: Source): Fragment {
    if (source.table.kind === 'distributed' && this.#dice.chance(0.3)) {
      return this.#dice.chance(0.6)
        ? this.#predicates.oneKey(source)
        : this.#predicates.manyKeys(source);
    }
    return this.#predicates.filter(source);
  }
}
