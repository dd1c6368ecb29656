import { unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { KeyType } from '../../sharding/distribution.ts';
import type { KeyReading, KeyUse } from '../../sharding/key-reading.ts';
import { keyFromBinary, keyFromText } from '../../sharding/key-value.ts';
import { parameterType } from '../../sharding/value-type.ts';
import { literalValue } from '../../sql/literal-value.ts';
import type { KeyValue } from '../plan.ts';
import type { StatementValues } from './statement-values.ts';

const textTypes = ['text', 'varchar', 'bpchar', 'citext'];

/** Reads a value as a key, with the type that the statement gives it. */
export function readKey(
  value: KeyValue,
  keyType: KeyType,
  use: KeyUse,
  values: StatementValues,
): KeyReading {
  const { ref } = value;
  switch (ref.kind) {
    case 'literal':
      return readLiteral(value, ref.slot, keyType, use, values);
    case 'parameter': {
      const valueType = typeOfParameter(value, ref.index, values);
      const bytes = values.values[ref.index];
      if (bytes === undefined || valueType === null) return unreadable();
      const target = { keyType, valueType, use };
      return formatOf(values, ref.index) === 1
        ? keyFromBinary(target, bytes, values.timeZone)
        : keyFromText(target, bytes, values.timeZone);
    }
    default:
      return unreachable(ref);
  }
}

/** `unknown` where PostgreSQL would infer a type; null: not known. */
export function typeOfValue(value: KeyValue, values: StatementValues): string | null {
  const { ref, castType } = value;
  if (ref.kind === 'parameter') return typeOfParameter(value, ref.index, values);
  const kind = values.literals[ref.slot]?.kind ?? null;
  return castType ?? (kind === 'string' ? 'unknown' : kind);
}

function typeOfParameter(value: KeyValue, index: number, values: StatementValues): string | null {
  const typeOid = values.typeOids[index] ?? 0;
  // What PostgreSQL infers from another place is not known here.
  if (typeOid === 0 && !value.soleUse) return null;
  return parameterType(typeOid, value.castType);
}

export function formatOf(values: StatementValues, index: number): number {
  const { formats } = values;
  return (formats.length === 1 ? formats[0] : formats[index]) ?? 0;
}

function readLiteral(
  value: KeyValue,
  slot: number,
  keyType: KeyType,
  use: KeyUse,
  values: StatementValues,
): KeyReading {
  const literal = values.literals[slot];
  if (literal === undefined) return unreadable();
  const token = values.text.slice(literal.start, literal.end);
  const { castType } = value;
  if (literal.kind === 'string') {
    const text = literalValue(token, true);
    if (text === null) return unreadable();
    return keyFromText({ keyType, valueType: castType ?? 'unknown', use }, text, values.timeZone);
  }
  if (literal.kind === 'bit-string') return unreadable();
  const sign = value.negated ? '-' : '';
  const text =
    literal.kind === 'numeric'
      ? sign + token
      : String(BigInt(token.replaceAll('_', '')) * (value.negated ? -1n : 1n));
  if (castType === null) return keyFromText({ keyType, valueType: literal.kind, use }, text);
  // Digits with a point or exponent may print in another way than they are written.
  if (literal.kind === 'numeric' && textTypes.includes(castType)) return unreadable();
  return keyFromText({ keyType, valueType: castType, use }, text, values.timeZone);
}

function unreadable(): KeyReading {
  const error = new PgError(SqlState.featureNotSupported, 'the key cannot be read from its value', {
    hint: "Declare the parameter's type, or cast it to the type of the key.",
  });
  return { kind: 'unknown', error };
}
