import type { SchemaMistake } from '../catalogue/schema-mistakes.ts';
import type { ShardedSequence } from './adjust-sequences.ts';

/** Sequences of distributed tables that give equal values on several shards, and stay so. */
export function sequenceMistakes(sequences: readonly ShardedSequence[]): readonly SchemaMistake[] {
  return sequences.flatMap(({ name, shards: [shard], interleaving }): SchemaMistake[] => {
    if (interleaving.kind !== 'unfit' || shard === undefined) return [];
    const { reason, isTooMany } = interleaving;
    return [
      {
        severity: isTooMany ? 'error' : 'warning',
        shard,
        table: null,
        message: `sequence ${name} gives equal values on several shards: ${reason}`,
        remedy: isTooMany
          ? 'make its column and the sequence bigint'
          : 'change it on all shards, or give the values in the application',
      },
    ];
  });
}
