import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Key, KeyType } from './distribution.ts';

/**
 * What a statement does with a value. PostgreSQL `compare`s in the wider of both types (42.5 equals
 * no integer) but converts when it `assign`s (42.5 becomes 43), so the key differs.
 */
export type KeyUse = 'compare' | 'assign';

/**
 * Which value is read for which key. `valueType` is pg_type.typname of the value as the statement
 * types it, or `unknown` where PostgreSQL would infer the key column's own type.
 */
export type KeyTarget = {
  readonly keyType: KeyType;
  readonly valueType: string;
  readonly use: KeyUse;
};

export type KeyReading =
  | { readonly kind: 'key'; readonly key: Key }
  | { readonly kind: 'null' }
  /**
   * No key equals the value (compare only): it lies strictly between `below` and `above`, which are
   * the limits to use for `>` and `<`; null when all keys lie on the other side.
   */
  | { readonly kind: 'no-match'; readonly below: Key | null; readonly above: Key | null }
  /**
   * The value may be fine but its meaning is not known here (a date that DateStyle decides, a type
   * without known comparison). A read may go to all shards; everything else must raise `error`.
   */
  | { readonly kind: 'unknown'; readonly error: PgError }
  /** PostgreSQL itself would refuse the value, in these words. */
  | { readonly kind: 'invalid'; readonly error: PgError };

export function integerKey(value: bigint): KeyReading {
  return { kind: 'key', key: { kind: 'integer', value } };
}

export function bytesKey(bytes: Buffer): KeyReading {
  return { kind: 'key', key: { kind: 'bytes', bytes } };
}

export function invalidSyntax(typeName: string, text: string): KeyReading {
  const message = `invalid input syntax for type ${typeName}: "${text}"`;
  return { kind: 'invalid', error: new PgError(SqlState.invalidTextRepresentation, message) };
}

export function invalidBinary(target: KeyTarget): KeyReading {
  const message = `incorrect binary format for a key of type ${target.keyType}`;
  return { kind: 'invalid', error: new PgError(SqlState.invalidBinaryRepresentation, message) };
}

/** The types are not compared or converted here. */
export function unknownPair(target: KeyTarget): KeyReading {
  const verb = target.use === 'assign' ? 'stored in' : 'compared with';
  const message = `a value of type ${target.valueType} ${verb} a key of type ${target.keyType} cannot be routed`;
  const hint = `Cast the value to ${target.keyType}.`;
  return { kind: 'unknown', error: new PgError(SqlState.featureNotSupported, message, { hint }) };
}
