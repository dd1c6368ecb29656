import { unreachable } from '../base/assert.ts';
import type { Key, KeyType } from './distribution.ts';
import { keyText } from './key-text.ts';

/**
 * SQL twins of the arithmetic here: built-in immutable functions only, so that they may stand in a
 * CHECK constraint or a row filter. `columnSql` is an expression of the key's type; pass a
 * qualified and quoted column name.
 */

/** What ranges compare: byte order, folded if the distribution folds. */
export function comparableSql(keyType: KeyType, fold: boolean, columnSql: string): string {
  switch (keyType) {
    case 'text':
    case 'varchar':
      return fold ? `upper(${columnSql} collate "C")` : `(${columnSql} collate "C")`;
    case 'bpchar':
    case 'citext':
      return fold ? `upper(${columnSql}::text collate "C")` : `(${columnSql}::text collate "C")`;
    case 'int2':
    case 'int4':
    case 'int8':
    case 'uuid':
    case 'date':
    case 'timestamp':
    case 'timestamptz':
    case 'bytea':
      return columnSql;
    default:
      return unreachable(keyType);
  }
}

/** The 64-bit hash of the key. bytea needs PostgreSQL 14, the others any supported version. */
export function placementHashSql(keyType: KeyType, fold: boolean, columnSql: string): string {
  switch (keyType) {
    case 'text':
    case 'varchar':
    case 'bpchar':
    case 'citext':
      return `hashtextextended(${comparableSql(keyType, fold, columnSql)}, 0)`;
    case 'int2':
    case 'int4':
    case 'int8':
      return `hashint8extended(${columnSql}, 0)`;
    case 'uuid':
      return `uuid_hash_extended(${columnSql}, 0)`;
    case 'date':
      return `hashint4extended(${dayNumberSql(columnSql)}, 0)`;
    case 'timestamp':
      return `timestamp_hash_extended(${columnSql}, 0)`;
    case 'timestamptz':
      return `timestamp_hash_extended(${columnSql} at time zone 'UTC', 0)`;
    case 'bytea':
      // bytea has a hash function of its own since PostgreSQL 18 only; a record of one column
      // hashes like the column.
      return `case when ${columnSql} is not null then hash_record_extended(row(${columnSql}), 0) end`;
    default:
      return unreachable(keyType);
  }
}

/** The days that PostgreSQL stores. Infinite dates cannot be subtracted; NULL stays NULL. */
function dayNumberSql(columnSql: string): string {
  return (
    `case when isfinite(${columnSql}) then ${columnSql} - date '2000-01-01' ` +
    `when ${columnSql} > date '2000-01-01' then 2147483647 ` +
    `when ${columnSql} < date '2000-01-01' then -2147483648 end`
  );
}

/** A literal to compare with comparableSql. */
export function keyLiteralSql(keyType: KeyType, key: Key): string {
  const text = keyText(keyType, key);
  switch (keyType) {
    case 'text':
    case 'varchar':
    case 'bpchar':
    case 'citext':
      return quoteLiteral(text);
    case 'int2':
    case 'int4':
    case 'int8':
      return text.startsWith('-') ? `(${text})` : text;
    case 'uuid':
    case 'date':
    case 'timestamp':
    case 'timestamptz':
    case 'bytea':
      return `${keyType} ${quoteLiteral(text)}`;
    default:
      return unreachable(keyType);
  }
}

/** Right whatever standard_conforming_strings is. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
