import type { Dice } from './dice.ts';
import { type Fragment, join, slot, sql } from './fragment.ts';
import { type Column, columnsOfType, type Table } from './table.ts';
import { randomValue, type TypeName, type Value } from './value.ts';

/** A table in FROM under a name. */
export type Source = { readonly table: Table; readonly alias: string };

/** Finds values that occur, so that predicates match rows. */
export type KeyFinder = (table: Table) => Value;

export const sortable: readonly TypeName[] = [
  ...(['int2', 'int4', 'int8', 'numeric', 'money2', 'float4', 'float8', 'bool', 'text'] as const),
  ...([
    'label',
    'varchar',
    'bpchar',
    'date',
    'time',
    'timestamp',
    'timestamptz',
    'uuid',
    'bytea',
    'mood',
    'percent',
    'numbers',
    'span',
    'days',
  ] as const),
];

const arrayTypes: { readonly [Type in TypeName]?: TypeName } = {
  text: 'textArray',
  int4: 'int4Array',
  int8: 'int8Array',
  uuid: 'uuidArray',
};

export class Predicates {
  readonly #dice: Dice;
  readonly #findKey: KeyFinder;

  constructor(dice: Dice, findKey: KeyFinder) {
    this.#dice = dice;
    this.#findKey = findKey;
  }

  value(value: Value): Fragment {
    return slot(value, { asParameter: this.#dice.chance(0.6), typed: this.#dice.chance(0.15) });
  }

  /** `key = value` in one of its spellings: exactly one key. */
  oneKey(source: Source, key: Value = this.#findKey(source.table)): Fragment {
    const column = name(source, source.table.key);
    const rid = rowNumberOf(source);
    const value = this.value(key);
    const typed = slot(key, { asParameter: this.#dice.chance(0.5), typed: true });
    const choices: readonly (() => Fragment)[] = [
      () => sql`${column} = ${value}`,
      () => sql`${column} = ${value}`,
      () => sql`${column} = ${value}`,
      () => sql`${value} = ${column}`,
      () => sql`${column} = ${typed}`,
      () => sql`${column} in (${value})`,
      () => sql`(${rid}, ${column}) = (${this.#rid(source.table)}, ${typed})`,
      () => sql`${column} = any(${this.#array(source.table, [key])})`,
      () => sql`${column} = any(array[${typed}])`,
      () => sql`(${column} = ${value} or ${column} = ${typed})`,
      () => sql`${column} = ${value} and ${column} = ${typed}`,
    ];
    return this.#dice.pick(choices)();
  }

  /** Conditions that name several keys, a range of them, or none. */
  manyKeys(source: Source): Fragment {
    const { table } = source;
    const column = name(source, table.key);
    const key = () => this.value(this.#findKey(table));
    const literalKey = typedValue(this.#findKey(table));
    const keys = this.#dice.list(this.#dice.int(1, 4), () => this.#findKey(table));
    const choices: readonly (() => Fragment)[] = [
      () =>
        sql`${column} in (${join(
          keys.map((each) => this.value(each)),
          ', ',
        )})`,
      () => sql`${column} = any(${this.#array(table, keys)})`,
      () =>
        sql`${column} = any(array[${join(
          keys.map((each) => typedValue(each)),
          ', ',
        )}])`,
      () => sql`(${column} = ${key()} or ${column} = ${key()})`,
      () => sql`(${column} = ${key()} or ${this.filter(source)})`,
      () =>
        sql`((${column} = ${key()} and ${this.filter(source)}) or ${column} in (${key()}, ${key()}))`,
      () => sql`${column} between ${key()} and ${key()}`,
      () => sql`not (${column} <> ${key()})`,
      () => sql`${column} between ${literalKey} and ${literalKey}`,
      () => sql`${column} between symmetric ${key()} and ${key()}`,
      () => sql`${column} ${this.#dice.pick(['<', '<=', '>', '>='])} ${key()}`,
      () => sql`${key()} ${this.#dice.pick(['<', '<=', '>', '>='])} ${column}`,
      () => sql`${column} > ${key()} and ${column} <= ${key()}`,
      () => sql`${column} = ${key()} and ${column} = ${key()}`,
      () => sql`${column} is null`,
      () => sql`${column} = null`,
      () => sql`${column} is not distinct from ${key()}`,
      () => sql`${column} <> ${key()}`,
      () => sql`${column} not in (${key()}, ${key()})`,
      () => sql`(${column}, ${rowNumberOf(source)}) < (${key()}, 50)`,
      ...(table.key.type === 'text' ? this.#textKeys(column, this.#findKey(table)) : []),
      ...(table.key.type === 'int8' || table.key.type === 'int4'
        ? this.#integerKeys(column, this.#findKey(table))
        : []),
    ];
    return this.#dice.pick(choices)();
  }

  /** A condition on some other column. */
  filter(source: Source): Fragment {
    const column = this.#dice.pick(
      columnsOfType(source.table, sortable).filter((each) => each !== source.table.key),
    );
    const left = name(source, column);
    const value = () => this.value(randomValue(column.type, this.#dice));
    const choices: readonly (() => Fragment)[] = [
      () => sql`${left} ${this.#dice.pick(['=', '<', '<=', '>', '>=', '<>'])} ${value()}`,
      () => sql`${left} is ${this.#dice.pick(['', 'not '])}null`,
      () => sql`${left} in (${value()}, ${value()}, ${value()})`,
      () => sql`${left} between ${value()} and ${value()}`,
      () => sql`(${left} > ${value()} or ${rowNumberOf(source)} % 3 = 0)`,
      () => sql`not (${left} = ${value()})`,
      () => sql`${left} is distinct from ${value()}`,
      () => sql`coalesce(${left} >= ${value()}, ${this.#dice.pick(['true', 'false'])})`,
    ];
    return this.#dice.pick(choices)();
  }

  #rid(table: Table): Fragment {
    return this.value({ type: 'int8', text: String(this.#dice.int(1, table.rowCount + 1)) });
  }

  #array(table: Table, keys: readonly Value[]): Fragment {
    const items = keys.map((key) => `"${(key.text ?? '').replaceAll(/["\\]/g, '\\$&')}"`);
    const text = `{${[...items, ...(this.#dice.chance(0.2) ? ['NULL'] : [])].join()}}`;
    const type = arrayTypes[table.key.type] ?? 'textArray';
    // An array of another type than the key's is a mistake unless it is cast.
    const mustCast = arrayTypes[table.key.type] === undefined;
    const written = slot({ type, text }, { asParameter: this.#dice.chance(0.5), typed: false });
    if (!mustCast && this.#dice.chance(0.5)) return written;
    return sql`${written}::${table.key.type}[]`;
  }

  #textKeys(column: string, key: Value): (() => Fragment)[] {
    const prefix = (key.text ?? '').slice(0, this.#dice.int(0, 2));
    const pattern = this.value({ type: 'text', text: `${prefix}%` });
    return [
      () => sql`${column} like ${pattern}`,
      () => sql`${column} like ${this.value({ type: 'text', text: `${prefix}_` })}`,
      () => sql`${column} ^@ ${this.value({ type: 'text', text: prefix })}`,
      () => sql`${column} not like ${pattern}`,
      () => sql`${column} ilike ${pattern}`,
      () => sql`upper(${column}) = upper(${this.value(key)})`,
      () => sql`${column} = upper(${this.value(key)})`,
      () => sql`${column} || '' = ${this.value(key)}`,
    ];
  }

  #integerKeys(column: string, key: Value): (() => Fragment)[] {
    return [
      () => sql`${column} = ${key.text ?? '0'}.0`,
      () => sql`${column} = ${key.text ?? '0'}.5`,
      () => sql`${column} = '${key.text ?? '0'}'`,
      () => sql`${column} = ${key.text ?? '0'}::numeric`,
      () => sql`${column}::text = '${key.text ?? '0'}'`,
      () => sql`${column} + 0 = ${this.value(key)}`,
      () => sql`${column} = ${key.text ?? '0'} + 0`,
      () => sql`abs(${column}) = ${this.value(key)}`,
    ];
  }
}

export function name(source: Source, column: { readonly name: Column['name'] }): string {
  return source.alias === '' ? column.name : `${source.alias}.${column.name}`;
}

/** The column that numbers the rows. */
export function rowNumberOf(source: Source): string {
  const column = source.table.columns.find((each) => each.name.endsWith('rid'));
  return name(source, column ?? { name: 'rid' });
}

function typedValue(value: Value): Fragment {
  return slot(value, { asParameter: false, typed: true });
}
