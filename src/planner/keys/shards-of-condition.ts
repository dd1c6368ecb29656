import { unreachable } from '../../base/assert.ts';
import type { Distribution, KeyBound, KeyType } from '../../sharding/distribution.ts';
import type { KeyReading } from '../../sharding/key-reading.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { literalValue } from '../../sql/literal-value.ts';
import type { KeyCondition, KeyLimit, KeyValue } from '../plan.ts';
import { patternPrefix } from './pattern-prefix.ts';
import { readKey, typeOfValue } from './read-key.ts';
import { readKeyArray } from './read-key-array.ts';
import type { StatementValues } from './statement-values.ts';

const noShards: ReadonlySet<ShardId> = new Set();
const integerTypes: readonly string[] = ['int2', 'int4', 'int8'];
const textTypes: readonly string[] = ['text', 'varchar', 'bpchar'];

/**
 * A superset of the shards that hold rows whose key satisfies the condition. What a server would
 * refuse (`id = 'x'` for an integer key) matches nothing: any shard will say so.
 */
export function shardsOfCondition(
  condition: KeyCondition,
  distribution: Distribution,
  values: StatementValues,
): ReadonlySet<ShardId> {
  const all = () => new Set(distribution.shards);
  switch (condition.kind) {
    case 'all':
      return all();
    case 'none':
      return noShards;
    case 'equal':
      return shardsOfValues([condition.value], distribution, values);
    case 'in':
      return agreeOnType(condition.values, distribution.keyType, values)
        ? shardsOfValues(condition.values, distribution, values)
        : all();
    case 'assign':
      return shardsOfValues(condition.values, distribution, values);
    case 'equal-any':
      return shardsOfArray(condition.array, distribution, values);
    case 'range':
      return shardsInRange(condition.low, condition.high, distribution, values);
    case 'like':
    case 'starts-with': {
      const isPattern = condition.kind === 'like';
      const text = textOf(isPattern ? condition.pattern : condition.prefix, values);
      if (text === 'null') return noShards;
      if (text === null) return all();
      const prefix = isPattern ? patternPrefix(text.value) : text.value;
      return new Set(distribution.shardsWithPrefix(Buffer.from(prefix.trimEnd(), 'utf8')));
    }
    case 'and': {
      const parts = condition.conditions.map((part) =>
        shardsOfCondition(part, distribution, values),
      );
      return new Set(distribution.shards.filter((shard) => parts.every((part) => part.has(shard))));
    }
    case 'or':
      return new Set(
        condition.conditions.flatMap((part) => [...shardsOfCondition(part, distribution, values)]),
      );
    default:
      return unreachable(condition);
  }
}

/**
 * PostgreSQL gives all items of a list one type, so `'2.0'` beside `2.5` is a numeric, not a bigint:
 * true when each item means the same by itself.
 */
function agreeOnType(
  items: readonly KeyValue[],
  keyType: KeyType,
  values: StatementValues,
): boolean {
  const types = new Set(items.map((item) => typeOfValue(item, values)));
  const isWithin = (known: readonly string[]) =>
    [...types].every((type) => type !== null && known.includes(type));
  if (types.size === 1) return true;
  if (integerTypes.includes(keyType)) {
    return isWithin([...integerTypes, 'unknown']) || isWithin([...integerTypes, 'numeric']);
  }
  return isWithin(textTypes.includes(keyType) ? [...textTypes, 'unknown'] : [keyType, 'unknown']);
}

function shardsOfValues(
  keys: readonly KeyValue[],
  distribution: Distribution,
  values: StatementValues,
): ReadonlySet<ShardId> {
  const readings = keys.map((value) => readKey(value, distribution.keyType, 'compare', values));
  return shardsOfReadings(readings, distribution);
}

function shardsOfReadings(
  readings: readonly KeyReading[],
  distribution: Distribution,
): ReadonlySet<ShardId> {
  const shards = new Set<ShardId>();
  for (const reading of readings) {
    if (reading.kind === 'unknown') return new Set(distribution.shards);
    if (reading.kind !== 'key') continue;
    const shard = distribution.shardOf(reading.key);
    if (shard !== null) shards.add(shard);
  }
  return shards;
}

function shardsOfArray(
  array: KeyValue,
  distribution: Distribution,
  values: StatementValues,
): ReadonlySet<ShardId> {
  const readings = readKeyArray(array, distribution.keyType, values);
  return readings === null
    ? new Set(distribution.shards)
    : shardsOfReadings(readings, distribution);
}

function shardsInRange(
  low: KeyLimit | null,
  high: KeyLimit | null,
  distribution: Distribution,
  values: StatementValues,
): ReadonlySet<ShardId> {
  const from = boundOf(low, 'low', distribution, values);
  const to = boundOf(high, 'high', distribution, values);
  if (from === 'nothing' || to === 'nothing') return noShards;
  return new Set(distribution.shardsBetween(from, to));
}

/** `nothing`: no key can satisfy it. null: it does not bound. */
function boundOf(
  limit: KeyLimit | null,
  side: 'low' | 'high',
  distribution: Distribution,
  values: StatementValues,
): KeyBound | null | 'nothing' {
  if (limit === null) return null;
  const reading = readKey(limit.value, distribution.keyType, 'compare', values);
  switch (reading.kind) {
    case 'key':
      return { key: reading.key, inclusive: limit.inclusive };
    case 'null':
    case 'invalid':
      return 'nothing';
    case 'unknown':
      return null;
    case 'no-match': {
      // Between two keys: `>` begins at the one above, `<` ends at the one below.
      const key = side === 'low' ? reading.above : reading.below;
      return key === null ? 'nothing' : { key, inclusive: true };
    }
    default:
      return unreachable(reading);
  }
}

/** null: not known. */
function textOf(value: KeyValue, values: StatementValues): { value: string } | 'null' | null {
  const { ref, castType } = value;
  if (castType !== null && castType !== 'text' && castType !== 'varchar') return null;
  if (ref.kind === 'literal') {
    const literal = values.literals[ref.slot];
    if (literal?.kind !== 'string') return null;
    const text = literalValue(values.text.slice(literal.start, literal.end), true);
    return text === null ? null : { value: text };
  }
  const typeOid = values.typeOids[ref.index] ?? 0;
  if (![0, 25, 705, 1043].includes(typeOid) || (typeOid === 0 && !value.soleUse)) return null;
  const bytes = values.values[ref.index];
  if (bytes === undefined) return null;
  return bytes === null ? 'null' : { value: bytes.toString('utf8') };
}
