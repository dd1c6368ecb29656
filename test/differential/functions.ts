import type { Dice } from './dice.ts';
import { type Fragment, sql } from './fragment.ts';
import { emptySelect, plainText, type Query } from './query.ts';
import { columnName, type Relation, rowNumbers } from './relation.ts';

/** Functions that return sets, tell the time, or are volatile. */
export class Functions {
  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** Sets in the select list and in FROM. */
  sets(relation: Relation): Query {
    const [rid = '1'] = rowNumbers(relation);
    const int4 = columnName(relation, ['int4'], this.#dice);
    const text = columnName(relation, ['text', 'varchar'], this.#dice);
    const { with: common, from, where } = relation;
    const select = { ...emptySelect, with: common, from, where };
    return this.#dice.pick<() => Query>([
      () => ({ ...select, columns: [[rid], ['generate_series(1, 2) as g']] }),
      () => ({ ...select, columns: [[rid], [`generate_series(1, abs(${int4}) % 4) as g`]] }),
      () => ({ ...select, columns: [[rid], [`unnest(array[${int4}, 7]) as u`]] }),
      () => ({ ...select, columns: [[rid], [`regexp_split_to_table(${text}, '_') as part`]] }),
      () => ({
        ...select,
        columns: [[rid], ['g']],
        from: sql`${from}, generate_series(1, 3) g`,
        where: [...where, ['g <> 2']],
      }),
      () => ({
        ...select,
        columns: [['g'], ['count(s.rid)']],
        from: sql`generate_series(1, 9) g left join (${this.#rowsOf(relation)}) s on s.rid = g`,
        where: [],
        groupBy: [['g']],
      }),
      () => ({
        ...select,
        columns: [['count(*)'], ['max(g)']],
        from: sql`(select generate_series(1, 2) as g from ${from}${this.#whereOf(where)}) s`,
        where: [],
        isTotal: true,
      }),
    ])();
  }

  /** Documents: values, tests and rows of them. */
  json(relation: Relation): Query {
    const [rid = '1'] = rowNumbers(relation);
    const all = rowNumbers(relation).join(', ');
    const int4 = columnName(relation, ['int4'], this.#dice);
    const text = columnName(relation, ['text', 'varchar'], this.#dice);
    const json = columnName(relation, ['jsonb'], this.#dice);
    const document = json.startsWith('(') ? `jsonb_build_object('a', ${int4}, 'b', ${text})` : json;
    const { with: common, from, where } = relation;
    const select = { ...emptySelect, with: common, from, where };
    const values: readonly Fragment[] = [
      [`json_value(${document}, '$.a' returning text) as v`],
      // Of NULL, PostgreSQL 18 gives the default of the row before, if that one was an error.
      [
        `json_value(coalesce(${document}, '1'), 'strict $.b' returning int default 7 on empty default 8 on error)`,
      ],
      [`json_query(${document}, '$.*' with conditional wrapper) as q`],
      [`json_exists(${document}, '$.a[*] ? (@ > $n)' passing 1 as n false on error)`],
      [`${text} is json`],
      [`${document}::text is not json object with unique keys as "Is not"`],
      [`json_object('n': ${int4}, (${rid}::text) value ${text} absent on null)`],
      [`json_array(${int4}, ${text} null on null returning jsonb)`],
      [`json_scalar(${int4})`],
      [`json_serialize(json(${document}::text) returning text) as s`],
      [`collation for (${text})`],
      [`make_interval(days => abs(${int4} % 9), hours => 3)`],
    ];
    const rows = sql`${from}, json_table(${document}, '$' columns (
      n for ordinality, a text path '$.a' with wrapper default '"none"' on empty,
      has boolean exists path '$.b', nested '$.a[*]' columns (e int path '$'))) j`;
    return this.#dice.pick<() => Query>([
      () => ({ ...select, columns: [[rid], ...this.#dice.sample(values, 2)] }),
      () => ({ ...select, columns: [[rid], ['j.n'], ['j.a'], ['has'], ['e']], from: rows }),
      () => ({
        ...select,
        columns: [['j.a'], ['count(*)'], ['max(e)']],
        from: rows,
        groupBy: [['j.a']],
      }),
      () => ({ ...select, columns: [['count(*)']], where: [...where, [`${text} is not json`]] }),
      () => ({
        ...select,
        columns: [[`json_arrayagg(${int4} order by ${all} null on null)`], ['count(*)']],
        isTotal: true,
      }),
      () => ({
        ...select,
        columns: [
          [`${int4} % 3`],
          [`json_objectagg(concat_ws('-', ${all}): ${int4} returning jsonb)`],
        ],
        groupBy: [[`${int4} % 3`]],
      }),
    ])();
  }

  /** Compared by consistency: nobody sees two times in one statement. */
  moments(relation: Relation): Query {
    const date = columnName(relation, ['date'], this.#dice);
    const { with: common, from, where } = relation;
    const now = this.#dice.pick([
      ...['now()', 'current_timestamp', 'transaction_timestamp()', 'statement_timestamp()'],
      ...['current_date', 'localtimestamp'],
    ]);
    const columns: readonly Fragment[] = this.#dice.pick([
      [[`count(distinct ${now})`]],
      [[`max(${now}) = min(${now})`]],
      [[`count(*)`], [`bool_and(${now} = ${now})`]],
      [[`count(*) filter (where ${date} < ${now})`]],
      [[`min(extract(year from ${now})) > 2000`]],
      [[`sum(case when ${now} >= ${date} then 1 else 0 end)`]],
    ]);
    return { ...emptySelect, with: common, from, where, columns, isTotal: true };
  }

  volatile(relation: Relation): Query {
    const { with: common, from, where } = relation;
    const [rid = '1'] = rowNumbers(relation);
    return this.#dice.pick<() => Query>([
      () => ({
        ...emptySelect,
        with: common,
        from,
        where,
        columns: [[`count(*) filter (where random() < 2)`]],
        isTotal: true,
      }),
      () => ({
        ...emptySelect,
        with: common,
        from,
        where,
        columns: [[rid], ['random() < 2 as sure']],
      }),
      () => ({
        ...emptySelect,
        with: common,
        from,
        where: [...where, ['random() >= 0']],
        columns: [[rid]],
      }),
      () => plainText('select clock_timestamp() >= now()'),
      () => ({
        ...emptySelect,
        with: common,
        from,
        where,
        columns: [['count(gen_random_uuid())']],
        isTotal: true,
      }),
    ])();
  }

  #rowsOf({ from, where, sources }: Relation): Fragment {
    const [rid = '1'] = rowNumbers({ with: [], from, where, sources });
    return sql`select ${rid} as rid from ${from}${this.#whereOf(where)}`;
  }

  #whereOf(where: readonly Fragment[]): Fragment {
    return where.flatMap((each, index) => [index === 0 ? ' where ' : ' and ', ...each]);
  }
}
