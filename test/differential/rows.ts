import type { Dice } from './dice.ts';
import type { Column, Table, Tables } from './table.ts';
import { literal, randomValue, type Value } from './value.ts';

export type Row = readonly Value[];
export type Rows = ReadonlyMap<Table, readonly Row[]>;

/**
 * Rows for all tables. Keys of co-located tables come from the same few values, so that joins find
 * partners; some customers have no booking and some bookings no customer.
 */
export function randomRows(tables: Tables, dice: Dice): Rows {
  const customers = customerIds(dice);
  const meters = dice.list(110, () => dice.int(-70, 70)).map(String);
  meters.push('9007199254740991', '-9007199254740991', '4294967296');
  const keyPool = (table: Table): readonly string[] => {
    if (table.distribution === 'customer') return customers;
    if (table.distribution === 'meter') return meters;
    if (table === tables.item || table === tables.note)
      return dice.list(60, () => '').map((_, n) => `${n + 1}`);
    // Nothing from 20 to 39: the shard of that range stays empty.
    if (table === tables.grade)
      return dice.list(60, () => String(dice.pick([dice.int(-9, 19), dice.int(40, 70)])));
    return dice.list(120, () => randomValue(table.key.type, dice).text ?? '');
  };
  return new Map(
    Object.values(tables).map((table) => [table, rowsOf(table, keyPool(table), dice)]),
  );
}

/** One row as generated values; `rid` must be new. */
export function randomRow(table: Table, key: Value, rid: number, dice: Dice): Row {
  return table.columns.map((column) => columnValue(table, column, key, rid, dice));
}

export function insertRowsSql(table: Table, rows: readonly Row[]): string {
  const tuples = rows.map((row) => `(${row.map((value) => literal(value, false)).join(', ')})`);
  return `insert into ${table.name} values ${tuples.join(', ')}`;
}

export function keyValues(table: Table, rows: readonly Row[]): readonly Value[] {
  const index = table.columns.indexOf(table.key);
  return rows.map((row) => row[index]).filter((value) => value !== undefined);
}

function rowsOf(table: Table, pool: readonly string[], dice: Dice): readonly Row[] {
  const distinct = [...new Set(pool)];
  const keys = table.keyIsUnique
    ? dice.sample(distinct, table.rowCount)
    : dice.list(table.rowCount, () => dice.pick(distinct));
  return keys.map((text, index) =>
    randomRow(table, { type: table.key.type, text }, index + 1, dice),
  );
}

function columnValue(table: Table, column: Column, key: Value, rid: number, dice: Dice): Value {
  if (column === table.key) return key;
  if (column.name === 'rid') return { type: 'int8', text: String(rid) };
  if (column.nullable && dice.chance(0.2)) return { type: column.type, text: null };
  if (column.name === 'item_id') return { type: 'int4', text: String(dice.int(1, 24)) };
  return randomValue(column.type, dice);
}

/** Upper and lower case of the same name are two keys of one shard; digits sort before letters, Hangul and accents after. */
function customerIds(dice: Dice): readonly string[] {
  const names = ['Kim', 'kim', 'KIM', 'adam', 'Eve', 'eve', 'Oz', 'P', 'Pia', 'uli', 'Vera', 'zed'];
  const strange = [
    '김민수',
    'Éva',
    'éva',
    '42',
    '7-up',
    'Zoë',
    '',
    ' lead',
    "O'Neil",
    'a\\b',
    '%',
    '_',
  ];
  const ids = dice.list(
    90,
    () => `${dice.pick(names)}${dice.pick(['', '-', '0'])}${dice.int(1, 9)}`,
  );
  return [...ids, ...names, ...strange, 'E', 'e', 'V', 'v', '\u{1f600}', '\uff5e'];
}
