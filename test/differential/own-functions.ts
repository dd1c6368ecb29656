import type { Dice } from './dice.ts';
import { sql } from './fragment.ts';
import { emptySelect, type Query } from './query.ts';
import { columnName, type Relation, rowNumbers } from './relation.ts';

/** After the tables. `listed` reads a reference table: the shard map declares it. */
export const createFunctionsSql = `
  create function bumped(x int4) returns int4 immutable language sql as 'select x % 1000 + 1';
  create function shout(x text) returns text immutable strict language plpgsql as 'begin return upper(x); end';
  create function pieces(x int4) returns setof int4 immutable language sql as 'select generate_series(1, x)';
  create function listed(x int4) returns int8 stable language sql as 'select rid from item where id = x';
  create function add_bool(x int4, y bool) returns int4 immutable strict language sql as 'select x + y::int4';
  create aggregate mixed(int4) (sfunc = int4xor, stype = int4, initcond = '0');
  create aggregate sum(bool) (sfunc = add_bool, stype = int4, initcond = '0')`;

/** YAML of the configuration's section. */
export const declaredFunctions = 'functions: { listed: { shards: any } }';

/** Functions and aggregates that users made: immutable, declared, and with the names of PostgreSQL's own. */
export class OwnFunctions {
  readonly #dice: Dice;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  any(relation: Relation): Query {
    const [rid = '1'] = rowNumbers(relation);
    const int4 = columnName(relation, ['int4'], this.#dice);
    const text = columnName(relation, ['text', 'varchar', 'label'], this.#dice);
    const bool = columnName(relation, ['bool'], this.#dice);
    const { with: common, from, where } = relation;
    const select = { ...emptySelect, with: common, from, where };
    const few = `abs(${int4} % 20)`;
    const aggregate = this.#dice.pick([
      ...[`mixed(${int4})`, `mixed(bumped(${int4}))`, `sum(${bool})`],
      ...[`sum(listed(${few}))`, `max(shout(${text})) filter (where ${bool})`],
    ]);
    return this.#dice.pick<() => Query>([
      () => ({ ...select, columns: [[rid], [`bumped(${int4})`], [`shout(${text})`]] }),
      () => ({ ...select, columns: [[rid], [`listed(${few}) as l`]] }),
      () => ({ ...select, columns: [['count(*)']], where: [...where, [`listed(${few}) > 5`]] }),
      () => ({ ...select, columns: [[rid]], where: [...where, [`shout(${text}) >= 'B'`]] }),
      () => ({ ...select, columns: [[rid], [`pieces(${few} % 3) as p`]] }),
      () => ({
        ...select,
        columns: [['p'], ['count(*)']],
        from: sql`${from}, pieces(3) p`,
        groupBy: [['p']],
      }),
      () => ({
        ...select,
        columns: [[`bumped(${int4} % 9)`], ['count(*)'], [aggregate]],
        groupBy: [[`bumped(${int4} % 9)`]],
      }),
      () => ({
        ...select,
        columns: [[`listed(${few})`], ['count(*)'], [`sum(${int4} % 9)`], [`sum(${bool})`]],
        groupBy: [[`listed(${few})`]],
        having: this.#dice.chance(0.4) ? [[`${aggregate} is not null`]] : [],
      }),
      () => ({ ...select, columns: [[aggregate], ['count(*)']], isTotal: true }),
      () => ({ ...select, distinct: true, columns: [[`bumped(listed(${few})::int4)`]] }),
      () => ({
        ...select,
        columns: [[rid], [`mixed(${int4}) over (partition by ${int4} % 3)`]],
      }),
    ])();
  }
}
