import type { ShardId } from '../../sharding/shard-id.ts';
import type { ShardRecord } from './shard-record.ts';

export type StoredRecord = {
  readonly record: ShardRecord;
  /** Grows with every save; 0 stands for "no record yet". */
  readonly revision: number;
};

/**
 * Where the durable record of each shard lives. A save is a compare-and-swap: of several writers
 * that read the same revision one wins, and the revision fences the others.
 */
export type RecordStore = {
  load(shard: ShardId): Promise<StoredRecord | null>;
  /**
   * Resolves with the new revision when the record is durable, with null when `expected` is not the
   * stored revision; rejects with 58030 when it cannot be known.
   */
  save(record: ShardRecord, expected: number): Promise<number | null>;
};
