import type { Dice } from './dice.ts';

/** Distributed by `id`, reference, and home tables: the latter's names, and all they own, begin with h. */
export const changedTables = {
  distributed: ['d_one', 'd_two'],
  reference: ['r_one'],
  home: ['h_one'],
} as const;

/** Values of these columns come from sequences, which differ from those of one PostgreSQL. */
export const countedColumns = ['s1', 's2'];

const columns = ['c1', 'c2', 'c3'];
const types = ['int', 'bigint', 'text', 'numeric(8,2)', 'boolean', 'date', 'mood'];

/**
 * Random DDL over a few names, so that much of it meets what is there already and fails, with some rows
 * in between; one by one, and in transactions with savepoints.
 */
export class SchemaChanges {
  readonly #dice: Dice;
  #lastId = 0;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** Statements for one session, in order. */
  next(): readonly string[] {
    const dice = this.#dice;
    if (dice.chance(0.5)) return [this.#statement()];
    const body = dice.list(dice.int(2, 5), () => this.#statement());
    if (dice.chance(0.4)) {
      const at = dice.int(0, body.length);
      body.splice(at, 0, 'savepoint s');
      body.splice(dice.int(at + 1, body.length), 0, dice.pick(['rollback to s', 'release s']));
    }
    return ['begin', ...body, dice.pick(['commit', 'commit', 'commit', 'rollback'])];
  }

  #statement(): string {
    return this.#dice.chance(0.35) ? this.#write() : this.#change();
  }

  #change(): string {
    const dice = this.#dice;
    const table = this.#table();
    const column = dice.pick(columns);
    const ifExists = dice.pick(['', 'if exists ']);
    const ifNotExists = dice.pick(['', 'if not exists ']);
    const cascade = dice.pick(['', '', ' cascade']);
    const prefix = table.startsWith('h') ? 'h_' : '';
    const index = `${prefix}${dice.pick(['i1', 'i2'])}`;
    const view = `${prefix}${dice.pick(['v1', 'v2'])}`;
    return dice.pick<() => string>([
      () => this.#createTable(table, ifNotExists),
      () => this.#createTable(table, ifNotExists),
      () => `drop table ${ifExists}${table}${cascade}`,
      () => `alter table ${table} add column ${ifNotExists}${this.#column()}`,
      () => `alter table ${table} add column ${ifNotExists}${this.#column()}`,
      () => `alter table ${table} drop column ${ifExists}${column}${cascade}`,
      () => `alter table ${table} alter column ${column} type text using ${column}::text`,
      () => `alter table ${table} alter column ${column} type bigint using null`,
      () => `alter table ${table} alter ${column} ${dice.pick(['set', 'drop'])} not null`,
      () => `alter table ${table} alter ${column} drop default`,
      () => `alter table ${table} alter ${column} set default null`,
      () => `alter table ${table} rename column ${column} to ${dice.pick(columns)}`,
      () => `alter table ${table} add constraint k1 check (id > ${dice.int(0, 2)})`,
      () => `alter table ${table} add constraint k2 unique (id, ${column})`,
      () => `alter table ${table} add constraint k3 foreign key (${column}) references r_one`,
      () => `alter table ${table} drop constraint ${ifExists}${dice.pick(['k1', 'k2', 'k3'])}`,
      () => `create index ${ifNotExists}${index} on ${table} (${column})`,
      () => `create unique index ${index} on ${table} (${column}, id)`,
      () => `drop index ${ifExists}${index}`,
      () => `create view ${view} as select id, ${column} from ${table}`,
      () => `drop view ${ifExists}${view}`,
      () => `comment on column ${table}.${column} is '${dice.int(1, 9)}'`,
      () => `create type mood as enum ('sad', 'happy')`,
      () => `alter type mood add value ${ifNotExists}'so-so ${dice.int(1, 3)}'`,
      () => `drop type ${ifExists}mood${cascade}`,
      () => `create sequence ${ifNotExists}q1 as ${dice.pick(['int', 'bigint'])}`,
      () => `drop sequence ${ifExists}q1`,
      () =>
        `create or replace function f1(n int) returns int immutable language sql as 'select n + ${dice.int(1, 3)}'`,
      () => `drop function ${ifExists}f1(int)`,
      () => `truncate ${table}${cascade}`,
    ])();
  }

  #createTable(table: string, ifNotExists: string): string {
    const dice = this.#dice;
    const id = dice.chance(0.8) ? 'id int primary key' : 'id int not null';
    const counted = dice.pick([[], [], ['s1 serial'], ['s2 int generated always as identity']]);
    const own = dice.sample(columns, dice.int(1, 3)).map((name) => this.#column(name));
    return `create table ${ifNotExists}${table} (${[id, ...own, ...counted].join(', ')})`;
  }

  #column(name = this.#dice.pick(columns)): string {
    const dice = this.#dice;
    const suffix = dice.pick(['', '', '', ' not null', ' default null', ' unique']);
    return `${name} ${dice.pick(types)}${suffix}`;
  }

  #write(): string {
    const dice = this.#dice;
    const table = this.#table();
    const column = dice.pick(columns);
    const id = () => dice.pick([0, 1_000_000, 2_000_000]) + ++this.#lastId;
    return dice.pick<() => string>([
      () => `insert into ${table} (id) values (${id()}), (${id()}), (${id()})`,
      () => `insert into ${table} (id, ${column}) values (${id()}, null), (${id()}, default)`,
      () => `insert into ${table} (id, ${column}) values (${id()}, '${dice.int(0, 1)}')`,
      () => `update ${table} set ${column} = null where id % 3 = 0`,
      () => `update ${table} set ${column} = ${column} where id = ${dice.int(1, this.#lastId + 1)}`,
      () => `delete from ${table} where id % 5 = ${dice.int(0, 4)}`,
      () => `select count(*), count(${column}) from ${table}`,
    ])();
  }

  #table(): string {
    const { distributed, reference, home } = changedTables;
    return this.#dice.pick([...distributed, ...distributed, ...reference, ...home]);
  }
}
