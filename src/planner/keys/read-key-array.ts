import type { KeyType } from '../../sharding/distribution.ts';
import type { KeyReading } from '../../sharding/key-reading.ts';
import { keyFromBinary, keyFromText } from '../../sharding/key-value.ts';
import { parameterType } from '../../sharding/value-type.ts';
import { literalValue } from '../../sql/literal-value.ts';
import type { KeyValue } from '../plan.ts';
import { arrayElements } from './array-elements.ts';
import { formatOf } from './read-key.ts';
import type { StatementValues } from './statement-values.ts';

/** Element types of the array types that a parameter may be declared as; source: pg_type.dat. */
const elementOids: ReadonlyMap<number, number> = new Map([
  [0, 0],
  [1001, 17],
  [1005, 21],
  [1007, 23],
  [1009, 25],
  [1014, 1042],
  [1015, 1043],
  [1016, 20],
  [1115, 1114],
  [1182, 1082],
  [1185, 1184],
  [1231, 1700],
  [2951, 2950],
]);

/** The elements of an array value as keys; null when they cannot be told. */
export function readKeyArray(
  array: KeyValue,
  keyType: KeyType,
  values: StatementValues,
): readonly KeyReading[] | null {
  const { ref, castType } = array;
  if (castType !== null && !castType.startsWith('_')) return null;
  const elementCast = castType === null ? null : castType.slice(1);
  if (ref.kind === 'literal') {
    const literal = values.literals[ref.slot];
    if (literal?.kind !== 'string') return null;
    const text = literalValue(values.text.slice(literal.start, literal.end), true);
    const target = { keyType, valueType: elementCast ?? 'unknown', use: 'compare' } as const;
    return text === null
      ? null
      : fromText(text, (item) => keyFromText(target, item, values.timeZone));
  }
  const typeOid = values.typeOids[ref.index] ?? 0;
  const elementOid = elementOids.get(typeOid);
  const bytes = values.values[ref.index];
  if (elementOid === undefined || bytes === undefined) return null;
  if (typeOid === 0 && !array.soleUse) return null;
  const valueType = parameterType(elementOid, elementCast);
  if (valueType === null) return null;
  if (bytes === null) return [];
  const target = { keyType, valueType, use: 'compare' } as const;
  if (formatOf(values, ref.index) !== 1) {
    return fromText(bytes.toString('utf8'), (item) => keyFromText(target, item, values.timeZone));
  }
  return fromBinary(bytes, (item) => keyFromBinary(target, item, values.timeZone));
}

function fromText(
  text: string,
  read: (item: string | null) => KeyReading,
): readonly KeyReading[] | null {
  return arrayElements(text)?.map(read) ?? null;
}

/** array_send: dimensions, has-null flag, element type, then (size, lower bound) per dimension. */
function fromBinary(
  bytes: Buffer,
  read: (item: Buffer | null) => KeyReading,
): readonly KeyReading[] | null {
  if (bytes.length < 12) return null;
  const dimensions = bytes.readInt32BE(0);
  if (dimensions === 0) return [];
  if (dimensions !== 1 || bytes.length < 20) return null;
  const count = bytes.readInt32BE(12);
  const readings: KeyReading[] = [];
  let at = 20;
  for (let index = 0; index < count; index += 1) {
    if (at + 4 > bytes.length) return null;
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length === -1) readings.push(read(null));
    else if (length < 0 || at + length > bytes.length) return null;
    else {
      readings.push(read(bytes.subarray(at, at + length)));
      at += length;
    }
  }
  return readings;
}
