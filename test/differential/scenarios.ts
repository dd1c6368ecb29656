import { Aggregates } from './aggregates.ts';
import type { Dice } from './dice.ts';
import { type Mode, slot, sql } from './fragment.ts';
import { Joins } from './joins.ts';
import { Predicates } from './predicates.ts';
import { ordered, plainText, type Query, render, unordered } from './query.ts';
import { keyValues, type Rows } from './rows.ts';
import type { Scenario, Step } from './scenario.ts';
import { Selects } from './selects.ts';
import type { Table, Tables } from './table.ts';
import { randomValue, type Value } from './value.ts';
import { Writes } from './writes.ts';

export const sessionCount = 3;

type Construct = {
  readonly name: string;
  /** How often, relative to the others. */
  readonly weight: number;
  readonly expectation: Scenario['expectation'];
  /** Instead of a random one. */
  readonly mode?: Mode;
  make(): readonly Query[];
};

const prepared: Mode = {
  protocol: 'extended',
  named: true,
  declareTypes: false,
  binaryParameters: true,
  binaryResults: false,
  rowsPerFetch: 0,
};

/** An endless stream of scenarios: the same for the same dice. */
export class Scenarios {
  readonly #dice: Dice;
  readonly #tables: Tables;
  readonly #rows: Rows;
  readonly #constructs: readonly Construct[];

  constructor(tables: Tables, rows: Rows, dice: Dice) {
    this.#dice = dice;
    this.#tables = tables;
    this.#rows = rows;
    const findKey = (table: Table) => this.#findKey(table);
    const predicates = new Predicates(dice, findKey);
    const selects = new Selects(dice, predicates);
    const aggregates = new Aggregates(dice, predicates, selects);
    const joins = new Joins(dice, predicates, selects, tables);
    const writes = new Writes(dice, predicates, tables, findKey);
    this.#constructs = [
      ...this.#reads(selects, aggregates, joins),
      ...this.#writes(writes, selects),
      ...this.#surroundings(selects),
    ];
  }

  next(): Scenario {
    const total = this.#constructs.reduce((sum, construct) => sum + construct.weight, 0);
    let left = this.#dice.next() * total;
    for (const construct of this.#constructs) {
      left -= construct.weight;
      if (left > 0) continue;
      const steps = construct.make().map(
        (query): Step => ({
          query,
          mode: construct.mode ?? this.#mode(),
        }),
      );
      const session = this.#dice.int(0, sessionCount - 1);
      return { construct: construct.name, expectation: construct.expectation, session, steps };
    }
    throw new Error('weights are positive');
  }

  #reads(selects: Selects, aggregates: Aggregates, joins: Joins): readonly Construct[] {
    const one = (name: string, weight: number, make: () => Query): Construct => {
      return { name, weight, expectation: 'either', make: () => [make()] };
    };
    return [
      { ...one('lookup', 12, () => selects.lookup(this.#keyed())), expectation: 'answered' },
      {
        name: 'prepared lookup',
        weight: 2,
        expectation: 'answered',
        mode: prepared,
        make: () => {
          const table = this.#keyed();
          return this.#dice.list(3, () => this.#preparedLookup(table));
        },
      },
      one('several keys', 12, () => selects.manyKeys(this.#keyed())),
      one('scan', 6, () => selects.scan(this.#distributed())),
      one('sorted scan', 8, () => selects.sorted(this.#distributed())),
      one('distinct', 5, () => selects.distinct(this.#distributed())),
      one('aggregate', 8, () => aggregates.ungrouped(this.#distributed())),
      one('group by', 10, () => aggregates.grouped(this.#distributed())),
      one('group by key', 5, () => aggregates.groupedByKey(this.#distributed())),
      one('having', 2, () => aggregates.having(this.#distributed())),
      one('elaborate aggregate', 4, () => aggregates.elaborate(this.#distributed())),
      one('co-located join', 7, () => joins.colocated()),
      one('outer join', 4, () => joins.outer()),
      one('reference join', 5, () => joins.withReference()),
      one('join off the key', 2, () => joins.offKey()),
      one('subquery', 5, () => joins.subquery()),
      one('compound', 6, () => joins.compound()),
      one('reference or home read', 3, () =>
        selects.sorted(this.#dice.pick([this.#tables.item, this.#tables.note])),
      ),
    ];
  }

  #writes(writes: Writes, selects: Selects): readonly Construct[] {
    const written = () =>
      this.#dice.pick([this.#tables.booking, this.#tables.readingLine, this.#tables.document]);
    return [
      {
        name: 'write to one key',
        weight: 8,
        expectation: 'answered',
        make: () => [writes.oneKey(this.#dice.pick([written(), this.#tables.account]))],
      },
      {
        name: 'write to several keys',
        weight: 3,
        expectation: 'either',
        make: () => [writes.severalKeys(written())],
      },
      {
        name: 'write to a reference table',
        weight: 1,
        expectation: 'either',
        make: () => [writes.reference()],
      },
      {
        name: 'write to a home table',
        weight: 1,
        expectation: 'answered',
        make: () => [writes.oneKey(this.#tables.note)],
      },
      {
        name: 'transaction on one key',
        weight: 3,
        expectation: 'answered',
        make: () => this.#transaction(written(), writes, selects),
      },
      {
        name: 'repeatable read transaction',
        weight: 0.5,
        expectation: 'either',
        make: () => {
          const [, ...rest] = this.#transaction(written(), writes, selects);
          return [plainText('begin isolation level repeatable read'), ...rest];
        },
      },
    ];
  }

  /** Statements about no sharded table, and mistakes. */
  #surroundings(selects: Selects): readonly Construct[] {
    const zone = () => this.#dice.pick(['UTC', 'Europe/Berlin', 'Asia/Seoul', 'America/New_York']);
    return [
      {
        name: 'setting',
        weight: 1,
        expectation: 'answered',
        make: () => {
          const set = this.#dice.pick([
            `set timezone = '${zone()}'`,
            `set datestyle to '${this.#dice.pick(['ISO, MDY', 'ISO, DMY', 'German', 'SQL, DMY'])}'`,
            `set bytea_output = ${this.#dice.pick(['hex', 'escape'])}`,
            'reset timezone',
            'reset all',
          ]);
          return [plainText(set), plainText('show timezone'), plainText('show datestyle')];
        },
      },
      {
        name: 'no table',
        weight: 2,
        expectation: 'answered',
        make: () => [
          plainText(
            this.#dice.pick([
              'select 1',
              "select 'a' || 'b' as ab, 1.5::float8",
              'select generate_series(1, 5)',
              "select coalesce(null, 'x')",
              "select count(*) from pg_class where relname = 'booking'",
              "select to_char(date '2000-01-02', 'Mon DD')",
              'show server_encoding',
              '',
              ';',
            ]),
          ),
        ],
      },
      {
        name: 'mistake',
        weight: 3,
        expectation: 'either',
        make: () => [plainText(this.#mistake())],
      },
      {
        name: 'statement list',
        weight: 1,
        expectation: 'either',
        make: () => {
          const [a, b] = [selects.lookup(this.#keyed()), selects.lookup(this.#keyed())];
          const list = sql`${render(a)}; ${render(b)}`;
          return [unordered(list)];
        },
      },
    ];
  }

  /** The same text each time: prepared once, executed with other keys on other shards. */
  #preparedLookup(table: Table): Query {
    const key = slot(this.#findKey(table), { asParameter: true, typed: false });
    const text = sql`select * from ${table.name} where ${table.key.name} = ${key} order by rid`;
    return ordered(text);
  }

  #mistake(): string {
    const table = this.#distributed().name;
    return this.#dice.pick([
      'selec 1',
      'select * from missing_table',
      `select missing_column from ${table}`,
      `select rid / 0 from ${table} where rid = 1`,
      `select rid from ${table} where rid = 'x'`,
      `select count(*), rid from ${table}`,
      `select sum(missing) from ${table}`,
      `select rid from ${table} order by 9`,
      `select rid from ${table} limit -1`,
      `select * from ${table} where rid = $1`,
      `select a.rid from ${table} a join ${table} b on a.rid = b.rid where rid = 1`,
      `insert into ${table} (missing) values (1)`,
      "select 'unterminated",
      "select * from document where id = 'not-a-uuid'",
      'select * from reading where id = 99999999999999999999',
      "select * from reading where id = 'x'",
    ]);
  }

  #transaction(table: Table, writes: Writes, selects: Selects): readonly Query[] {
    const key = this.#findKey(table);
    const begin = this.#dice.pick(['begin', 'begin', 'start transaction', 'begin read write']);
    const end = this.#dice.pick(['commit', 'commit', 'end', 'rollback', 'abort']);
    const write = () => writes.oneKey(table, key);
    const read = () => (this.#dice.chance(0.7) ? selects.lookup(table) : plainText('select 1'));
    const inner: Query[] = this.#dice.list(this.#dice.int(1, 4), () =>
      this.#dice.chance(0.5) ? write() : read(),
    );
    if (this.#dice.chance(0.3)) {
      inner.push(plainText('savepoint s'), write(), plainText('rollback to savepoint s'), read());
    }
    if (this.#dice.chance(0.15)) inner.push(plainText('select 1 / 0'), plainText('select 1'));
    return [plainText(begin), ...inner, plainText(end)];
  }

  #distributed(): Table {
    const { account, booking, reading, readingLine, document, grade, vacant } = this.#tables;
    return this.#dice.pick([
      ...[account, booking, booking, reading, readingLine, readingLine, document, grade, grade],
      vacant,
    ]);
  }

  #keyed(): Table {
    return this.#dice.chance(0.05) ? this.#tables.item : this.#distributed();
  }

  /** Mostly a key that is there. */
  #findKey(table: Table): Value {
    const keys = keyValues(table, this.#rows.get(table) ?? []);
    if (keys.length > 0 && this.#dice.chance(0.85)) return this.#dice.pick(keys);
    return randomValue(table.key.type, this.#dice);
  }

  #mode(): Mode {
    if (this.#dice.chance(0.4)) return { protocol: 'simple' };
    return {
      protocol: 'extended',
      named: this.#dice.chance(0.3),
      declareTypes: this.#dice.chance(0.3),
      binaryParameters: this.#dice.chance(0.5),
      binaryResults: this.#dice.chance(0.5),
      rowsPerFetch: this.#dice.chance(0.12) ? this.#dice.int(1, 40) : 0,
    };
  }
}
