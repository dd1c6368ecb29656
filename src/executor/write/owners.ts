import { assert, unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Distribution } from '../../sharding/distribution.ts';
import type { KeyReading } from '../../sharding/key-reading.ts';
import { keyFromText } from '../../sharding/key-value.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { parameterType } from '../../sharding/value-type.ts';

/** The shard that a row with this key belongs on. Throws 23502, 23514 and what reading it says. */
export function ownerOf(distribution: Distribution, reading: KeyReading): ShardId {
  switch (reading.kind) {
    case 'key': {
      const shard = distribution.shardOf(reading.key);
      if (shard === null) throw unowned(distribution);
      return shard;
    }
    case 'null':
      throw new PgError(
        SqlState.notNullViolation,
        'the key of a distributed table must not be null',
        { hint: 'The key says which shard the row belongs to.' },
      );
    case 'no-match':
      throw unowned(distribution);
    case 'unknown':
    case 'invalid':
      throw reading.error;
    default:
      return unreachable(reading);
  }
}

/** Reads keys that servers have written as text of the type. */
export function textKeyReader(
  distribution: Distribution,
  typeOid: number,
  timeZone: string | null,
): (text: Buffer | null) => ShardId {
  const { keyType } = distribution;
  const valueType = parameterType(typeOid, null) ?? 'unknown';
  // citext and domains of it have OIDs of their own; their text is the key's.
  const target = {
    keyType,
    valueType: valueType === 'unknown' ? keyType : valueType,
    use: 'assign',
  } as const;
  assert(keyType.length > 0, 'a key has a type');
  return (text) => ownerOf(distribution, keyFromText(target, text, timeZone));
}

function unowned(distribution: Distribution): PgError {
  const message = `no shard owns this key of distribution "${distribution.name}"`;
  return new PgError(SqlState.checkViolation, message, {
    hint: 'Give the key to a shard in the shard map.',
  });
}
