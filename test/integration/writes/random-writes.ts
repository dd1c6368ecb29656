import type { Dice } from '../../differential/dice.ts';
import type { WireRequest, WireValue } from '../../support/wire-client.ts';
import { extended, simple } from '../../support/write-world.ts';

/** A statement with its values apart, to be sent either way. */
type Draft = { readonly text: string; readonly values: readonly (string | null)[] };

/** Random INSERT, UPDATE, DELETE and TRUNCATE over the tables of a WriteWorld. */
export class RandomWrites {
  readonly #dice: Dice;
  #values: (string | null)[] = [];

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  next(): WireRequest {
    this.#values = [];
    const text = this.#dice.pick(this.#kinds)();
    const draft = { text, values: this.#values };
    return this.#dice.chance(0.5) ? simple(inlined(draft)) : this.#extended(draft);
  }

  readonly #kinds: readonly (() => string)[] = [
    () => this.#insertAccounts(),
    () => this.#insertAccounts(),
    () => this.#insertEntries(),
    () => this.#insertEntries(),
    () => this.#insertPlaces(),
    () => this.#insertCountries(),
    () =>
      `update account set ${this.#change()}${this.#where('account')}${this.#returning('account', 'id')}`,
    () =>
      `update account set ${this.#change()}${this.#where('account')}${this.#returning('account', 'id')}`,
    () => `update account set (owner, note) = (${this.#text()}, default)${this.#where('account')}`,
    () =>
      `update entry set amount = amount + ${this.#number()}${this.#where('entry')}${this.#returning('entry', 'number')}`,
    () => `delete from entry${this.#where('entry')}${this.#returning('entry', 'amount')}`,
    () =>
      `delete from account where id in (${this.#key()}, ${this.#key()}, ${this.#key()})${this.#returning('account', 'owner')}`,
    () =>
      `delete from entry using account a where a.id = account_id and a.balance > ${this.#number()}`,
    () =>
      `update account a set balance = e.number from entry e where e.account_id = a.id and e.number = ${this.#small()}`,
    () => `update account a set note = c.name from country c where c.code = ${this.#code()}`,
    () =>
      `update account set balance = (select count(*) from entry where amount > ${this.#number()}) where id < ${this.#key()}`,
    () =>
      `delete from place where size > (select avg(size) + ${this.#small()} from place)${this.#returning('place', 'code')}`,
    () =>
      `update account set id = ${this.#key()} where id = ${this.#key()}${this.#returning('account', 'owner')}`,
    () => `update account set id = id + 100, balance = 1 where id between ${this.#low()} and 99`,
    () => `update place set code = ${this.#code()} || 'x' where code = ${this.#code()} returning *`,
    () =>
      `insert into entry select id, ${this.#small()}, balance from account${this.#where('account')} on conflict do nothing`,
    () =>
      `insert into account (id, balance) select 299 - id, count(*) from account group by id having count(*) < ${this.#small()} on conflict (id) do update set balance = excluded.balance + 1`,
    () =>
      `insert into place select code || 'y', owner, ${this.#small()} from place, account where id = ${this.#key()} on conflict do nothing`,
    () =>
      `insert into memo select id + ${this.#number()}, id, owner from account where balance > ${this.#number()} on conflict (id) do nothing`,
    () => `update memo set body = a.note from account a where a.id = memo.account_id`,
    () =>
      `update country set rank = ${this.#small()} where code > ${this.#code()}${this.#returning('country', 'rank')}`,
    () => `delete from country where code = ${this.#code()} returning *`,
    () =>
      `insert into country (code, name, rank, seq, made, token) select distinct owner, 'x', 1, 2, null::timestamptz, 0.5 from account where owner is not null on conflict (code) do update set rank = country.rank + 1`,
    () => (this.#dice.chance(0.1) ? 'truncate entry, account' : 'delete from entry where false'),
    () => `update account set balance = 10 / (balance - ${this.#small()})`,
    () =>
      `with few as (select account_id from entry where amount < ${this.#number()}) delete from account where id in (select account_id from few)`,
  ];

  #insertAccounts(): string {
    const rows = this.#several(
      () =>
        `(${this.#key()}, ${this.#text()}, ${this.#number()}, ${this.#dice.pick(['default', "'2020-05-05'", 'null'])})`,
    );
    const conflict = this.#dice.pick([
      '',
      '',
      ' on conflict do nothing',
      ' on conflict (id) do update set balance = excluded.balance, owner = account.note',
    ]);
    return `insert into account (id, owner, balance, opened) values ${rows}${conflict}${this.#returning('account', 'id')}`;
  }

  #insertEntries(): string {
    const rows = this.#several(() => `(${this.#key()}, ${this.#small()}, ${this.#number()})`);
    const conflict = this.#dice.pick([
      ' on conflict do nothing',
      ' on conflict (account_id, number) do update set amount = entry.amount + 1',
      '',
    ]);
    return `insert into entry values ${rows}${conflict}${this.#returning('entry', 'account_id')}`;
  }

  #insertPlaces(): string {
    const key = () =>
      this.#dice.pick([
        () => this.#code(),
        () => `lower(${this.#code()}::text)`,
        () => `${this.#code()} || 'z'`,
      ])();
    const rows = this.#several(() => `(${key()}, ${this.#text()}, ${this.#small()})`);
    return `insert into place values ${rows} on conflict do nothing returning *`;
  }

  #insertCountries(): string {
    const rows = this.#several(
      () => `(${this.#code()}, ${this.#text()}, ${this.#small()}, 1, null, 0)`,
    );
    const conflict = this.#dice.pick([
      '',
      ' on conflict do nothing',
      ' on conflict (code) do update set name = excluded.name || country.name',
    ]);
    return `insert into country values ${rows}${conflict}${this.#returning('country', 'code')}`;
  }

  #change(): string {
    return this.#dice.pick([
      () => `balance = coalesce(balance, 0) + ${this.#number()}`,
      () => `owner = ${this.#text()}, note = default`,
      () => `note = (select max(city) from place)`,
      () => `id = id, owner = upper(owner)`,
    ])();
  }

  #where(table: 'account' | 'entry'): string {
    const key = table === 'account' ? 'id' : 'account_id';
    const number = table === 'account' ? 'balance' : 'amount';
    return this.#dice.pick([
      () => '',
      () => ` where ${key} = ${this.#key()}`,
      () => ` where ${key} in (${this.#key()}, ${this.#key()})`,
      () => ` where ${key} between ${this.#key()} and ${this.#key()}`,
      () => ` where ${number} > ${this.#number()}`,
      () => ` where ${key} > ${this.#key()} and ${number} is not null`,
      () =>
        ` where ${key} in (select ${table === 'account' ? 'account_id from entry' : 'id from account'} where ${key === 'id' ? 'amount' : 'balance'} > ${this.#number()})`,
    ])();
  }

  #returning(table: string, column: string): string {
    return this.#dice.pick([
      '',
      '',
      ' returning *',
      ` returning ${column}`,
      ` returning ${table}.*, ${column} as again`,
    ]);
  }

  #several(row: () => string): string {
    return Array.from({ length: this.#dice.int(1, 5) }, row).join(', ');
  }

  #low(): string {
    return this.#value(String(this.#dice.int(60, 99)), 'int8');
  }

  #key(): string {
    return this.#value(String(this.#dice.int(0, 299)), 'int8');
  }

  #small(): string {
    return this.#value(String(this.#dice.int(0, 6)), 'int4');
  }

  #number(): string {
    return this.#value(String(this.#dice.int(0, 60)), 'int4');
  }

  #code(): string {
    return this.#value(
      this.#dice.pick(['amsterdam', 'bonn', 'hull', 'kiel', 'lima', 'oslo', 'paris', 'rome']),
      'text',
    );
  }

  #text(): string {
    return this.#value(
      this.#dice.pick(['ann', "o'hara (x), (y)", null, 'values ($1)', '"q" -- c']),
      'text',
    );
  }

  /** A cast says the type where nothing else does. */
  #value(text: string | null, type: string): string {
    this.#values.push(text);
    return `$${this.#values.length}::${type}`;
  }

  #extended({ text, values }: Draft): WireRequest {
    return extended(text, values as readonly WireValue[], this.#dice.chance(0.3));
  }
}

function inlined({ text, values }: Draft): string {
  return text.replace(/\$(\d+)::(\w+)/g, (_, number: string, type: string) => {
    const value = values[Number(number) - 1] ?? null;
    if (value === null) return 'null';
    return type === 'text' ? `'${value.replaceAll("'", "''")}'` : value;
  });
}
