import type { Dice } from './dice.ts';

/** Distributed by `id`, reference, and home tables: the latter's names, and all they own, begin with h. */
export const changedTables = {
  distributed: ['d_one', 'd_two', 'd_parted'],
  reference: ['r_one'],
  home: ['h_one', 'h_parted'],
} as const;

/** Values of these columns come from sequences, which differ from those of one PostgreSQL. */
export const countedColumns = ['s1', 's2'];

/** So does an `id` from here on. */
export const countedFrom = 5_000_000;

const columns = ['c1', 'c2', 'c3'];
/** Those whose names end so are partitioned by `id`. */
const partedEnd = '_parted';
const parts = ['one', 'two', 'rest'];
const types = ['int', 'bigint', 'text', 'numeric(8,2)', 'boolean', 'date', 'mood'];

/** The columns of the tables that are there. */
export type KnownTables = ReadonlyMap<string, readonly string[]>;

/**
 * Random DDL over a few names, so that much of it meets what is there already and fails, with some rows
 * in between; one by one, and in transactions with savepoints.
 */
export class SchemaChanges {
  readonly #dice: Dice;
  #lastId = 0;
  #known: KnownTables = new Map();

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  /** Statements for one session, in order: mostly about what is there. */
  next(known: KnownTables): readonly string[] {
    const dice = this.#dice;
    this.#known = known;
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
    const missing = this.#missing();
    const column = this.#columnOf(table);
    const ifExists = dice.pick(['', 'if exists ']);
    const ifNotExists = dice.pick(['', 'if not exists ']);
    const cascade = dice.pick(['', '', ' cascade']);
    const prefix = table.startsWith('h') ? 'h_' : '';
    const index = `${prefix}${dice.pick(['i1', 'i2'])}`;
    const part = `${this.#parted()}_${dice.pick(parts)}`;
    const view = `${prefix}${dice.pick(['v1', 'v2'])}`;
    return dice.pick<() => string>([
      ...Array.from(
        { length: missing === null ? 0 : 6 },
        () => () => this.#createTable(missing ?? table, ifNotExists),
      ),
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
      () => `truncate ${table}${dice.pick(['', ' restart identity'])}${cascade}`,
      () => this.#createPart(ifNotExists),
      () => this.#createPart(ifNotExists),
      () => `drop table ${ifExists}${part}`,
      () => `alter table ${this.#parted()} detach partition ${part}`,
      () => `alter table ${part} rename constraint k1 to k4`,
      () => this.#policy(table),
      () => this.#policy(table),
      () => `do $$ begin ${this.#change()}; exception when others then null; end $$`,
    ])();
  }

  #createTable(table: string, ifNotExists: string): string {
    const dice = this.#dice;
    const isParted = table.endsWith(partedEnd);
    const id = dice.pick([
      ...['id int primary key', 'id int primary key', 'id int not null'],
      `id int generated by default as identity (start with ${countedFrom}) primary key`,
      `id int generated always as identity (start with ${countedFrom})`,
    ]);
    const counted = dice.pick([[], [], ['s1 serial'], ['s2 int generated always as identity']]);
    const own = dice.sample(columns, dice.int(1, 3)).map((name) => this.#column(name));
    const list = [id, ...own, ...counted].join(', ');
    const by = dice.pick(['range', 'range', 'range', 'hash', 'list']);
    const partedBy = isParted ? ` partition by ${by} (id)` : '';
    return `create table ${ifNotExists}${table} (${list})${partedBy}`;
  }

  #createPart(ifNotExists: string): string {
    const dice = this.#dice;
    const parted = this.#parted();
    const part = dice.pick(parts);
    const bounds = dice.pick([
      ...['for values from (minvalue) to (1500000)', 'for values from (1500000) to (maxvalue)'],
      ...['default', `for values with (modulus 2, remainder ${dice.int(0, 1)})`],
      `for values in (${dice.int(1, this.#lastId + 1)})`,
    ]);
    return `create table ${ifNotExists}${parted}_${part} partition of ${parted} ${bounds}`;
  }

  #policy(table: string): string {
    const dice = this.#dice;
    const name = dice.pick(['p1', 'p2']);
    const column = this.#columnOf(table);
    const command = dice.pick(['all', 'select', 'update', 'delete']);
    return dice.pick([
      `create policy ${name} on ${table} for ${command} using (${column} is null)`,
      `create policy ${name} on ${table} as restrictive for ${command} to app using (id % 2 = 0)`,
      `create policy ${name} on ${table} for insert with check (id % 7 > 0)`,
      `alter policy ${name} on ${table} using (id % 3 > 0)`,
      `alter policy ${name} on ${table} rename to ${dice.pick(['p1', 'p2'])}`,
      `drop policy if exists ${name} on ${table}`,
      `drop policy if exists ${name} on ${table}`,
      `alter table ${table} ${dice.pick(['enable', 'enable', 'disable', 'force', 'no force'])} row level security`,
    ]);
  }

  #parted(): string {
    return this.#dice.pick([`d${partedEnd}`, `d${partedEnd}`, `h${partedEnd}`]);
  }

  #column(name = this.#dice.pick(columns)): string {
    const dice = this.#dice;
    const suffix = dice.pick(['', '', '', ' not null', ' default null', ' unique']);
    return `${name} ${dice.pick(types)}${suffix}`;
  }

  #write(): string {
    const dice = this.#dice;
    const table = this.#table();
    const column = this.#columnOf(table);
    const id = () => dice.pick([0, 1_000_000, 2_000_000]) + ++this.#lastId;
    return dice.pick<() => string>([
      () => `insert into ${table} (id) values (${id()}), (${id()}), (${id()})`,
      () => `insert into ${table} (id, ${column}) values (${id()}, null), (${id()}, default)`,
      () => `insert into ${table} (id, ${column}) values (${id()}, '${dice.int(0, 1)}')`,
      () => `update ${table} set ${column} = null where id % 3 = 0 and id < ${countedFrom}`,
      () => `update ${table} set ${column} = ${column} where id = ${dice.int(1, this.#lastId + 1)}`,
      () => `delete from ${table} where id % 5 = ${dice.int(0, 4)} and id < ${countedFrom}`,
      () => `insert into ${table} (${column}) values (null), (default), (null)`,
      () => `insert into ${table} (id, ${column}) overriding user value values (${id()}, null)`,
      () => `select count(*), count(${column}) from ${table}`,
    ])();
  }

  #table(): string {
    const { distributed, reference, home } = changedTables;
    const all = [...distributed, ...distributed, ...reference, ...home];
    const there = all.filter((name) => this.#known.has(name));
    return this.#dice.pick(there.length > 0 && this.#dice.chance(0.95) ? there : all);
  }

  /** null: all tables are there. */
  #missing(): string | null {
    const all = Object.values(changedTables).flat();
    const missing = all.filter((name) => !this.#known.has(name));
    return missing.length === 0 ? null : this.#dice.pick(missing);
  }

  #columnOf(table: string): string {
    const there = columns.filter((name) => this.#known.get(table)?.includes(name));
    return this.#dice.pick(there.length > 0 && this.#dice.chance(0.9) ? there : columns);
  }
}
