import type { Dice } from './dice.ts';
import { type Mode, slot, sql } from './fragment.ts';
import { mistake } from './mistakes.ts';
import { Predicates } from './predicates.ts';
import { ordered, plainText, type Query, render, type Select, unordered } from './query.ts';
import { readMakers } from './reads.ts';
import { Routines } from './routines.ts';
import { keyValues, type Rows } from './rows.ts';
import type { Scenario, Step } from './scenario.ts';
import { Selects } from './selects.ts';
import type { Table, Tables } from './table.ts';
import { randomValue, type Value } from './value.ts';
import { type ConstructName, weights } from './weights.ts';
import { WithWrites } from './with-writes.ts';
import { Writes } from './writes.ts';

type Construct = {
  readonly expectation: Scenario['expectation'];
  readonly alone: boolean;
  /** Instead of a random one. */
  readonly mode?: Mode;
  /** All rows with one Execute: what PostgreSQL counts of FETCH in portions is its own affair. */
  readonly atOnce?: boolean;
  make(): readonly Query[];
};

type Constructs = { readonly [Name in ConstructName]?: Construct };

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
  readonly #keys: ReadonlyMap<string, readonly Value[]>;
  readonly #sessionCount: number;
  readonly #constructs: readonly (readonly [name: ConstructName, weight: number, Construct])[];

  constructor(tables: Tables, rows: Rows, dice: Dice, sessionCount: number) {
    this.#dice = dice;
    this.#tables = tables;
    this.#sessionCount = sessionCount;
    this.#keys = new Map([...rows].map(([table, own]) => [table.name, keyValues(table, own)]));
    const findKey = (table: Table) => this.#findKey(table);
    const predicates = new Predicates(dice, findKey);
    const selects = new Selects(dice, predicates);
    const writes = new Writes(dice, predicates, tables, findKey);
    const makers = readMakers(dice, tables, predicates, selects);
    const reads = Object.values(makers);
    const all: Constructs = {
      ...Object.fromEntries(
        Object.entries(makers).map(([name, make]) => [name, one('either', false, make)]),
      ),
      ...this.#lookups(selects),
      ...this.#writes(writes),
      ...this.#writesInside(
        new WithWrites(dice, predicates, tables, writes),
        new Routines(dice, tables, writes),
      ),
      cursor: {
        expectation: 'either',
        alone: false,
        atOnce: true,
        make: () => this.#cursor(selects),
      },
      ...this.#transactions(writes, selects, () => this.#dice.pick(reads)()),
      ...this.#surroundings(selects),
    };
    this.#constructs = (Object.keys(weights) as ConstructName[]).map((name) => {
      const construct = all[name];
      if (construct === undefined) throw new Error(`nothing makes ${name}`);
      return [name, weights[name], construct];
    });
  }

  next(): Scenario {
    const total = this.#constructs.reduce((sum, [, weight]) => sum + weight, 0);
    let left = this.#dice.next() * total;
    for (const [name, weight, construct] of this.#constructs) {
      left -= weight;
      if (left > 0) continue;
      const steps = construct.make().map(
        (query): Step => ({
          query,
          mode: construct.mode ?? this.#mode(construct.atOnce === true ? 0 : 0.12),
        }),
      );
      const session = this.#dice.int(0, this.#sessionCount - 1);
      const { expectation, alone } = construct;
      return { construct: name, expectation, alone, session, steps };
    }
    throw new Error('weights are positive');
  }

  #lookups(selects: Selects): Constructs {
    return {
      lookup: one('answered', false, () => selects.lookup(this.#keyed())),
      'prepared lookup': {
        expectation: 'answered',
        alone: false,
        mode: prepared,
        make: () => {
          const table = this.#keyed();
          return this.#dice.list(3, () => this.#preparedLookup(table));
        },
      },
    };
  }

  #writes(writes: Writes): Constructs {
    return {
      'write to one key': one('answered', true, () =>
        writes.oneKey(this.#dice.pick([this.#written(), this.#tables.account])),
      ),
      'write to several keys': one('either', true, () => writes.severalKeys(this.#written())),
      'write to a reference table': one('either', true, () => writes.reference()),
      'write to a home table': one('answered', true, () => writes.oneKey(this.#tables.note)),
    };
  }

  #writesInside(withWrites: WithWrites, routines: Routines): Constructs {
    return {
      'write in with': one('either', true, () => withWrites.any(this.#written())),
      'do and call': { expectation: 'either', alone: true, make: () => routines.any() },
    };
  }

  #transactions(writes: Writes, selects: Selects, read: () => Query): Constructs {
    const make = () => this.#transaction(this.#written(), writes, selects);
    return {
      'transaction on one key': { expectation: 'answered', alone: true, make },
      'read after an uncommitted write': {
        expectation: 'either',
        alone: true,
        make: () => {
          const table = this.#written();
          const write = () => writes.oneKey(table, this.#findKey(table));
          const reads = this.#dice.list(this.#dice.int(1, 3), read);
          const end = this.#dice.pick(['commit', 'rollback', 'rollback']);
          return [plainText('begin'), write(), ...reads, write(), read(), plainText(end)];
        },
      },
      'repeatable read transaction': {
        expectation: 'either',
        alone: true,
        make: () => [plainText('begin isolation level repeatable read'), ...make().slice(1)],
      },
    };
  }

  /** Statements about no sharded table, and mistakes. */
  #surroundings(selects: Selects): Constructs {
    return {
      setting: {
        expectation: 'answered',
        alone: false,
        make: () => [
          plainText(this.#setting()),
          plainText('show timezone'),
          plainText('show datestyle'),
        ],
      },
      'no table': one('answered', false, () =>
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
      ),
      mistake: one('either', false, () => plainText(mistake(this.#dice, this.#distributed().name))),
      'statement list': one('either', false, () => {
        const lookup = () => render(settled(selects.lookup(this.#keyed())));
        return unordered(sql`${lookup()}; ${lookup()}`);
      }),
    };
  }

  #setting(): string {
    const zone = this.#dice.pick(['UTC', 'Europe/Berlin', 'Asia/Seoul', 'America/New_York']);
    const style = this.#dice.pick(['ISO, MDY', 'ISO, DMY', 'German', 'SQL, DMY']);
    return this.#dice.pick([
      `set timezone = '${zone}'`,
      `set datestyle to '${style}'`,
      `set bytea_output = ${this.#dice.pick(['hex', 'escape'])}`,
      'reset timezone',
      'reset all',
    ]);
  }

  /** The same text each time: prepared once, executed with other keys on other shards. */
  #preparedLookup(table: Table): Query {
    const key = slot(this.#findKey(table), { asParameter: true, typed: false });
    return ordered(sql`select * from ${table.name} where ${table.key.name} = ${key} order by rid`);
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

  /** SQL's cursors: some rows, more rows, the rest. */
  #cursor(selects: Selects): readonly Query[] {
    const query = render(selects.sorted(this.#distributed()));
    const kind = this.#dice.pick(['', 'no scroll ', 'insensitive ', 'scroll ', 'scroll ']);
    const some = String(this.#dice.int(1, 30));
    const fetches = this.#dice.sample(
      [
        `fetch ${some} from c`,
        'fetch c',
        'fetch forward 2 from c',
        `move ${some} in c`,
        ...(kind === 'scroll ' ? this.#backward() : []),
      ],
      this.#dice.int(1, kind === 'scroll ' ? 8 : 3),
    );
    return [
      plainText('begin'),
      ordered(sql`declare c ${kind}cursor for ${query}`),
      ...fetches.map((fetch) => ordered([fetch])),
      ordered(['fetch all from c']),
      plainText('close c'),
      plainText('commit'),
    ];
  }

  #backward(): readonly string[] {
    const count = String(this.#dice.int(1, 40));
    return [
      'fetch 0 c',
      `fetch backward ${count} from c`,
      'fetch prior c',
      'fetch first c',
      'fetch last c',
      'fetch backward all from c',
      'move backward all in c',
      'move last in c',
      `fetch absolute ${count} from c`,
      `fetch absolute -${count} from c`,
      `fetch relative -${count} from c`,
      `move relative -${count} in c`,
      'fetch absolute 0 c',
      'move absolute 0 c',
    ];
  }

  #written(): Table {
    return this.#dice.pick([this.#tables.booking, this.#tables.readingLine, this.#tables.document]);
  }

  #distributed(): Table {
    const { account, booking, reading, readingLine, document, grade, vacant } = this.#tables;
    return this.#dice.pick([account, booking, reading, readingLine, document, grade, vacant]);
  }

  #keyed(): Table {
    return this.#dice.chance(0.05) ? this.#tables.item : this.#distributed();
  }

  /** Mostly a key that is there. */
  #findKey(table: Table): Value {
    const keys = this.#keys.get(table.name) ?? [];
    if (keys.length > 0 && this.#dice.chance(0.85)) return this.#dice.pick(keys);
    return randomValue(table.key.type, this.#dice);
  }

  #mode(inPortions: number): Mode {
    if (this.#dice.chance(0.4)) return { protocol: 'simple' };
    return {
      protocol: 'extended',
      named: this.#dice.chance(0.3),
      declareTypes: this.#dice.chance(0.3),
      binaryParameters: this.#dice.chance(0.5),
      binaryResults: this.#dice.chance(0.5),
      rowsPerFetch: this.#dice.chance(inPortions) ? this.#dice.int(1, 40) : 0,
    };
  }
}

function one(expectation: Scenario['expectation'], alone: boolean, make: () => Query): Construct {
  return { expectation, alone, make: () => [make()] };
}

/** Without a limit that chooses among rows freely: nobody looks at the statements one by one. */
function settled(select: Select): Select {
  const isSettled = select.isTotal && select.orderBy.length > 0;
  return isSettled ? select : { ...select, limit: null, offset: null };
}
