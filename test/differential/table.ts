import type { Dice } from './dice.ts';
import { type TypeName, typeOf } from './value.ts';

export type Column = { readonly name: string; readonly type: TypeName; readonly nullable: boolean };

export type Table = {
  readonly name: string;
  /** Name of the distribution; null for a reference or home table. */
  readonly distribution: string | null;
  readonly kind: 'distributed' | 'reference' | 'home';
  /** The distribution column; of other tables the primary key. */
  readonly key: Column;
  /** Makes the primary key together with the key where the key alone is not unique. */
  readonly keyIsUnique: boolean;
  /** All columns; `rid` numbers the rows of a table from 1 and is unique. */
  readonly columns: readonly Column[];
  readonly rowCount: number;
};

export type Tables = {
  readonly account: Table;
  readonly booking: Table;
  readonly reading: Table;
  readonly readingLine: Table;
  readonly document: Table;
  readonly grade: Table;
  readonly vacant: Table;
  readonly item: Table;
  readonly note: Table;
};

const rowNumber: Column = { name: 'rid', type: 'int8', nullable: false };

/**
 * Tables of every kind of placement: ranges over folded text, over int4 (one shard of it stays
 * empty) and over dates (empty altogether), rings over int8 and uuid, a reference and a home table.
 * Payload columns are drawn from all types, different for each seed.
 */
export function randomTables(dice: Dice): Tables {
  const table = (
    name: string,
    keyType: TypeName,
    rest: Partial<Table> & { readonly keyName?: string; readonly extra?: readonly Column[] },
  ): Table => {
    const key: Column = { name: rest.keyName ?? 'id', type: keyType, nullable: false };
    const columns = [key, rowNumber, ...(rest.extra ?? []), ...payload(dice)];
    return {
      name,
      distribution: rest.distribution ?? null,
      kind: rest.kind ?? 'distributed',
      key,
      keyIsUnique: rest.keyIsUnique ?? true,
      columns,
      rowCount: rest.rowCount ?? 0,
    };
  };
  const itemId: Column = { name: 'item_id', type: 'int4', nullable: true };
  const customer = { distribution: 'customer', keyName: 'cust_id' };
  return {
    account: table('account', 'text', { ...customer, rowCount: 70 }),
    booking: table('booking', 'text', {
      ...customer,
      keyIsUnique: false,
      extra: [itemId],
      rowCount: 320,
    }),
    reading: table('reading', 'int8', { distribution: 'meter', rowCount: 130 }),
    readingLine: table('reading_line', 'int8', {
      distribution: 'meter',
      keyName: 'reading_id',
      keyIsUnique: false,
      extra: [itemId],
      rowCount: 300,
    }),
    document: table('document', 'uuid', { distribution: 'file', rowCount: 90 }),
    grade: table('grade', 'int4', {
      distribution: 'level',
      keyName: 'n',
      keyIsUnique: false,
      rowCount: 140,
    }),
    vacant: table('vacant', 'date', { distribution: 'period', keyName: 'day' }),
    item: table('item', 'int4', { kind: 'reference', rowCount: 18 }),
    note: table('note', 'int4', { kind: 'home', rowCount: 25 }),
  };
}

/** Columns of at least an integer, a numeric, a text and a date, so that every generator finds one. */
function payload(dice: Dice): Column[] {
  const wanted: TypeName[] = ['int4', 'money2', 'text', 'date', ...dice.sample(others, 6)];
  return dice.shuffle(wanted).map((type, index) => ({
    name: `${type}_${index + 1}`,
    type,
    nullable: dice.chance(0.7),
  }));
}

const others: readonly TypeName[] = [
  ...([
    'int2',
    'int8',
    'numeric',
    'float4',
    'float8',
    'bool',
    'label',
    'varchar',
    'bpchar',
  ] as const),
  ...(['time', 'timestamp', 'timestamptz', 'interval', 'uuid', 'bytea', 'jsonb'] as const),
  ...(['mood', 'percent', 'place', 'numbers', 'span', 'days'] as const),
];

export function createTableSql(table: Table): string {
  const columns = table.columns.map(
    ({ name, type, nullable }) => `${name} ${typeOf(type).sql}${nullable ? '' : ' not null'}`,
  );
  const primaryKey = table.keyIsUnique ? table.key.name : `${table.key.name}, rid`;
  return `create table ${table.name} (${[...columns, `primary key (${primaryKey})`].join(', ')})`;
}

export function columnsOfType(table: Table, names: readonly TypeName[]): readonly Column[] {
  return table.columns.filter((column) => names.includes(column.type));
}
