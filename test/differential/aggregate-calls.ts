import type { Dice } from './dice.ts';
import { type Fragment, sql } from './fragment.ts';
import { type Predicates, sortable } from './predicates.ts';
import { columnName, type Relation, rowNumbers } from './relation.ts';
import type { TypeName } from './value.ts';

const integers: readonly TypeName[] = ['int2', 'int4', 'int8'];
const exact: readonly TypeName[] = [...integers, 'numeric', 'money2'];
const summable: readonly TypeName[] = [...exact, 'float4', 'float8'];
const comparable: readonly TypeName[] = [
  ...summable,
  ...(['text', 'label', 'varchar', 'bpchar', 'date', 'time', 'timestamp', 'timestamptz'] as const),
];

/** Calls of aggregate functions, all with a determined result. */
export class AggregateCalls {
  readonly #dice: Dice;
  readonly #predicates: Predicates;

  constructor(dice: Dice, predicates: Predicates) {
    this.#dice = dice;
    this.#predicates = predicates;
  }

  /** count, sum, avg, min, max and the boolean ones: what the proxy adds up by itself. */
  simple(relation: Relation): Fragment {
    const column = (types: readonly TypeName[]) => columnName(relation, types, this.#dice);
    return this.#dice.pick<() => Fragment>([
      () => sql`count(*)`,
      () => sql`count(${column(sortable)})`,
      () => sql`sum(${column(summable)})`,
      () => sql`avg(${column(summable)})`,
      () => sql`min(${column(comparable)})`,
      () => sql`max(${column(comparable)})`,
      () => sql`${this.#dice.pick(['bool_and', 'bool_or', 'every'])}(${column(['bool'])})`,
    ])();
  }

  /** DISTINCT inside. */
  distinct(relation: Relation): Fragment {
    const column = (types: readonly TypeName[]) => columnName(relation, types, this.#dice);
    return this.#dice.pick<() => Fragment>([
      () => sql`count(distinct ${column(comparable)})`,
      () => sql`count(distinct ${column(comparable)})`,
      () => sql`sum(distinct ${column(exact)})`,
      () => sql`avg(distinct ${column(exact)})`,
      () => sql`array_agg(distinct ${column(comparable)})`,
      () => sql`string_agg(distinct ${column(['text'])}, '|')`,
      () => sql`count(distinct ${column(['int4'])} % 5)`,
      () => sql`count(distinct (${column(['int4'])}, ${column(['date', 'text'])}))`,
    ])();
  }

  /** Statistics. In floating point only of whole numbers: with fractions, what should be 0 is noise. */
  statistical(relation: Relation): Fragment {
    const column = (types: readonly TypeName[]) => columnName(relation, types, this.#dice);
    const small = `${column(['int4', 'int2'])} % 1000`;
    const name = this.#dice.pick([
      ...['stddev', 'stddev_pop', 'stddev_samp', 'variance', 'var_pop', 'var_samp'],
    ]);
    const pair = this.#dice.pick([
      ...['covar_pop', 'covar_samp', 'corr', 'regr_slope', 'regr_intercept', 'regr_r2'],
      ...['regr_avgx', 'regr_avgy', 'regr_sxx', 'regr_syy', 'regr_sxy', 'regr_count'],
    ]);
    return this.#dice.pick<() => Fragment>([
      () => sql`${name}(${column(['money2', 'numeric', 'int2'])})`,
      () => sql`${name}(${small})`,
      () => sql`${name}((${small})::float8)`,
      () => sql`${pair}((${small})::float8, (${column(['int4', 'int2'])} % 90)::float8)`,
    ])();
  }

  /** Whose result depends on the order of the rows, or on all of them at once. */
  collecting(relation: Relation): Fragment {
    const column = (types: readonly TypeName[]) => columnName(relation, types, this.#dice);
    const order = rowNumbers(relation).join(', ');
    const direction = this.#dice.pick(['', ' desc']);
    const text = column(['text', 'varchar', 'label']);
    const [rid = ''] = rowNumbers(relation);
    return this.#dice.pick<() => Fragment>([
      () => sql`string_agg(${text}, ',' order by ${order}${direction})`,
      () => sql`string_agg(${text}, ';' order by ${text}, ${order})`,
      () => sql`array_agg(${column(comparable)} order by ${order}${direction})`,
      () => sql`array_agg(${rid} order by ${column(sortable)}${direction}, ${order})`,
      () => sql`json_agg(${column(['int4', 'text', 'date'])} order by ${order})`,
      () => sql`jsonb_agg(${column(['int4', 'text', 'bool'])} order by ${order}${direction})`,
      () => sql`json_object_agg(concat_ws('-', ${order}), ${column(['int4'])} order by ${order})`,
      () =>
        sql`percentile_disc(${this.#fraction()}) within group (order by ${column(comparable)}${direction})`,
      () =>
        sql`percentile_cont(${this.#fraction()}) within group (order by ${column(['int4', 'money2'])})`,
      () =>
        sql`percentile_disc(array[0, 0.5, 1]) within group (order by ${column(['int4', 'date'])})`,
      () => sql`jsonb_agg(${rowOf(relation)} order by ${order}${direction})`,
      () => sql`array_agg(${rowOf(relation)} order by ${rowOf(relation)}, ${order})`,
      () => sql`mode() within group (order by ${column(comparable)})`,
      () => sql`rank(7) within group (order by ${column(['int4'])} % 50)`,
      () => sql`dense_rank(3) within group (order by ${column(['int4'])} % 50 desc)`,
    ])();
  }

  /** Bits, any_value of what is constant in the group, and the like. */
  rare(relation: Relation): Fragment {
    const column = (types: readonly TypeName[]) => columnName(relation, types, this.#dice);
    return this.#dice.pick<() => Fragment>([
      () => sql`bit_or(${column(['int4', 'int2'])})`,
      () => sql`bit_and(${column(integers)})`,
      () => sql`bit_xor(${column(integers)})`,
      () => sql`any_value(${column(['int4'])} is null) is not null`,
      () => sql`range_agg(int4range(0, abs(${column(['int4'])} % 50)))`,
      () => sql`max(${column(['int4'])} % 10 order by 1)`,
      () => sql`min(${column(['text', 'varchar'])} collate "und-x-icu")`,
      () => sql`max(array[${column(['int4'])} % 9])`,
    ])();
  }

  filtered(relation: Relation): Fragment {
    const condition = this.#predicates.filter(this.#dice.pick(relation.sources));
    const call = this.#dice.chance(0.6)
      ? this.simple(relation)
      : this.collectingOrDistinct(relation);
    return sql`${call} filter (where ${condition})`;
  }

  collectingOrDistinct(relation: Relation): Fragment {
    return this.#dice.chance(0.5) ? this.distinct(relation) : this.collecting(relation);
  }

  any(relation: Relation): Fragment {
    return this.#dice.pick([
      () => this.simple(relation),
      () => this.simple(relation),
      () => this.simple(relation),
      () => this.distinct(relation),
      () => this.statistical(relation),
      () => this.collecting(relation),
      () => this.rare(relation),
      () => this.filtered(relation),
    ])();
  }

  /** Expressions over aggregates. */
  combined(relation: Relation): Fragment {
    const column = (types: readonly TypeName[]) => columnName(relation, types, this.#dice);
    const number = column(['money2', 'int4', 'int2']);
    return this.#dice.pick<() => Fragment>([
      () => sql`coalesce(sum(${number}), 0)`,
      () => sql`sum(${number}) / nullif(count(*), 0)`,
      () => sql`round(avg(${number}), 2)`,
      () => sql`max(${number})::numeric - min(${number})`,
      () => sql`sum(${number}) * 100 / nullif(sum(abs(${number}::numeric)), 0)`,
      () => sql`case when count(*) > 3 then 'many' else 'few' end`,
      () => sql`count(*) + count(${number})`,
      () => sql`count(distinct ${number}) * 1.0 / greatest(count(*), 1)`,
      () => sql`array_length(array_agg(${number}), 1)`,
      () => sql`sum(${number} % 1000 * 2 + 1)`,
      () =>
        sql`sum(case when ${this.#predicates.filter(this.#dice.pick(relation.sources))} then 1 else 0 end)`,
      () => sql`upper(max(${column(['text', 'varchar'])}))`,
      () => sql`max(${column(['date'])}) - min(${column(['date'])})`,
      () => sql`(avg(${number}) > 0) is true`,
    ])();
  }

  #fraction(): string {
    return this.#dice.pick(['0', '0.1', '0.25', '0.5', '0.75', '1']);
  }
}

/** The whole row of its first source; a number where that has no name. */
function rowOf(relation: Relation): string {
  const [rid = '1'] = rowNumbers(relation);
  const [alias = '1', column] = rid.split('.');
  return column === undefined ? '1' : alias;
}
