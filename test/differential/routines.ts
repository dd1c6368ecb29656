import type { Dice } from './dice.ts';
import { inline, slot, sql } from './fragment.ts';
import { ordered, plainText, type Query, unordered } from './query.ts';
import type { Table, Tables } from './table.ts';
import type { Writes } from './writes.ts';

/** After the tables. They use the home table `note`, read the reference table `item`, or are refused. */
export const createProceduresSql = `
  create procedure renumber(first int4, inout changed int8 default 0) language plpgsql as
    'begin update note set rid = rid where id between first and first + 5;
       get diagnostics changed = row_count; end';
  create procedure look_up(number int4, inout found_rid int8, inout many bool default null) language plpgsql as
    'begin select rid into found_rid from item where id = number; many := found_rid > 9; end';
  create procedure sweep(above int8) language sql as 'delete from note where rid > above and rid > 1000';
  create procedure sweep_and_renumber(above int8, inout changed int8) language plpgsql as
    'begin call sweep(above); call renumber(changed::int4, changed); end';
  create procedure fail(state text) language plpgsql as
    'begin update note set rid = rid; raise exception ''as asked: %'', state using errcode = state; end';
  create procedure add_up(inout total int8, variadic numbers int4[]) language plpgsql as
    'begin select total + sum(n) into total from unnest(numbers) n; end';
  create procedure touch_bookings() language plpgsql as 'begin update booking set rid = rid; end';
  create procedure touch_items() language plpgsql as 'begin update item set rid = rid; end'`;

/** DO and CALL, by themselves and in transactions. */
export class Routines {
  readonly #dice: Dice;
  readonly #note: Table;
  readonly #writes: Writes;

  constructor(dice: Dice, tables: Tables, writes: Writes) {
    this.#dice = dice;
    this.#note = tables.note;
    this.#writes = writes;
  }

  any(): readonly Query[] {
    const one = () => (this.#dice.chance(0.5) ? this.#call() : this.#do());
    if (this.#dice.chance(0.5)) return [one()];
    const end = this.#dice.pick(['commit', 'commit', 'rollback']);
    return [
      plainText('begin'),
      one(),
      this.#dice.chance(0.5) ? one() : this.#look(),
      this.#look(),
      plainText(end),
    ];
  }

  #look(): Query {
    return ordered(['select * from note order by id']);
  }

  #call(): Query {
    const dice = this.#dice;
    const given = (type: 'int4' | 'int8', low: number, high: number) =>
      slot(
        { type, text: String(dice.int(low, high)) },
        { asParameter: dice.chance(0.5), typed: dice.chance(0.5) },
      );
    const number = () => given('int4', 1, 30);
    const above = () => given('int8', 1_000, 1_500);
    const state = dice.pick(['22012', 'P0001', '23505', 'no_data_found', '0']);
    return unordered(
      dice.pick([
        () => sql`call renumber(${number()})`,
        () => sql`call renumber(${number()}, ${above()})`,
        () => sql`call renumber(first => ${number()})`,
        () => sql`call look_up(${number()}, null)`,
        () => sql`call look_up(${number()}, ${above()}, true)`,
        () => sql`call sweep(${above()})`,
        () => sql`call public.sweep_and_renumber(${above()}, ${number()})`,
        () => sql`call fail('${state}')`,
        () => sql`call add_up(${number()}, ${number()}, ${number()})`,
        () => sql`call add_up(1, variadic array[1, 2, ${number()}]::int4[])`,
        () => sql`call renumber('x')`,
        () => sql`call look_up(1)`,
        () => sql`call nothing_like_it(${number()})`,
        () => sql`call touch_bookings()`,
        () => sql`call touch_items()`,
      ])(),
    );
  }

  #do(): Query {
    const dice = this.#dice;
    const body = dice.pick([
      () => `begin ${this.#statements()} end`,
      () =>
        `declare n int; begin select count(*) into n from note where rid > ${dice.int(1, 30)};
          if n > ${dice.int(0, 25)} then ${this.#statements()} else ${this.#statements()} end if; end`,
      () =>
        `declare r record; begin for r in select id from note where id < ${dice.int(2, 9)} order by id
          loop update note set rid = rid where id = r.id; exit when r.id > 4; end loop; end`,
      () =>
        `begin ${this.#statements()} exception when ${this.#condition()} then ${this.#statements()} end`,
      () =>
        `begin ${this.#statements()} begin ${this.#statements()} exception when others then null; end; end`,
      () =>
        `declare i int := 0; begin while i < 3 loop i := i + 1; ${this.#write()}; end loop; end`,
      () =>
        `begin perform 1 from note where id = ${dice.int(1, 60)}; if not found then ${this.#statements()} end if; end`,
      () =>
        `begin case ${dice.int(1, 3)} when 1 then ${this.#statements()} when 2 then return; end case; end`,
      () => `begin execute 'update note set rid = rid'; ${this.#statements()} end`,
      () => `begin perform count(*) from booking; ${this.#statements()} end`,
      () => `begin update item set rid = rid; end`,
    ])();
    return unordered([`do $do$ ${body} $do$`]);
  }

  #statements(): string {
    const dice = this.#dice;
    const one = () =>
      dice.pick([
        () => this.#write(),
        () => this.#write(),
        () => this.#write(),
        () => 'perform max(rid) from item',
        () => `perform 1 / (${dice.int(0, 3)} - 1)`,
        () => `raise exception 'own %', 7 using errcode = '22012'`,
        () => `call renumber(${dice.int(1, 20)}, null)`,
        () => `assert ${dice.pick(['true', 'false'])}, 'asserted'`,
        () => 'null',
      ])();
    return dice
      .list(dice.int(1, 3), one)
      .map((text) => `${text};`)
      .join(' ');
  }

  #write(): string {
    const dice = this.#dice;
    const id = dice.int(1, 60);
    return dice.pick([
      () => inline(this.#writes.insertion(this.#note, 1)),
      () =>
        inline(
          sql`update note set ${this.#writes.assignment(this.#note)} where id = ${String(id)}`,
        ),
      () =>
        inline(
          sql`update note set ${this.#writes.assignment(this.#note)} where id > ${String(id)}`,
        ),
      () => `delete from note where id = ${id} and rid > 1000`,
    ])();
  }

  #condition(): string {
    return this.#dice.pick([
      'unique_violation',
      'division_by_zero',
      'others',
      "sqlstate '22012'",
      'raise_exception or assert_failure',
    ]);
  }
}
