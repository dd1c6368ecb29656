/** pg_type.typname of the types whose values can be read as keys; source: pg_type.dat. */
const typeNames: ReadonlyMap<number, string> = new Map([
  [0, 'unknown'],
  [17, 'bytea'],
  [19, 'name'],
  [20, 'int8'],
  [21, 'int2'],
  [23, 'int4'],
  [25, 'text'],
  [700, 'float4'],
  [701, 'float8'],
  [705, 'unknown'],
  [1042, 'bpchar'],
  [1043, 'varchar'],
  [1082, 'date'],
  [1114, 'timestamp'],
  [1184, 'timestamptz'],
  [1700, 'numeric'],
  [2950, 'uuid'],
]);

const integers = ['int2', 'int4', 'int8'];

/**
 * The `valueType` of a parameter: `typeOid` from Parse (0: not specified) under an explicit cast
 * (`castType`, null: none). null when the combination is not understood: the value is then known
 * to the servers only. A cast with a length or precision must not come here: it changes the value.
 */
export function parameterType(typeOid: number, castType: string | null): string | null {
  const wireType = typeNames.get(typeOid) ?? null;
  if (castType === null || castType === wireType || wireType === null) return wireType;
  if (wireType === 'unknown') return castType;
  if (integers.includes(wireType) && integers.includes(castType)) return castType;
  const plainText = ['text', 'varchar'];
  if (plainText.includes(wireType) && plainText.includes(castType)) return castType;
  return null;
}
