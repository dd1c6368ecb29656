import type { ServerConnection } from '../../backend/server-connection.ts';
import type { PgError } from '../../base/pg-error.ts';
import type { PlanNode } from '../../planner/plan.ts';
import type { FieldDescription } from '../../protocol/row-description.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { GatheredResult } from '../intermediate/result-column.ts';
import type { RowSink } from './row-sink.ts';

/** Bind values as the client sent them; empty for a simple query. */
export type BoundParameters = {
  /** Declared in Parse; 0 is unspecified. */
  readonly typeOids: readonly number[];
  /** One per value: 0 text, 1 binary. */
  readonly formats: readonly number[];
  readonly values: readonly (Buffer | null)[];
};

export type MultiShardSelect = {
  readonly root: PlanNode;
  readonly shards: readonly ShardId[];
  /** The client's statement: describing it on one shard gives the result's exact columns. */
  readonly statementText: string;
  /** Of the client's text, for literal ValueRefs: the token of a slot as SQL text. */
  literalText(slot: number): string;
  readonly parameters: BoundParameters;
  /** As in Bind: none (all text), one for all, or one per column. */
  readonly resultFormats: readonly number[];
  readonly wantsDescription: boolean;
  /** What describing `statementText` says, when the caller knows it already; spares asking. */
  readonly description?: readonly FieldDescription[];
  /**
   * The connections are in a transaction block (or a BEGIN is on its way): a shard's statement that
   * is given up is read to its end then, because a cancel would fail the transaction.
   */
  readonly inTransaction: boolean;
  /** What the shards' query reads of results that were gathered before, by their numbers. */
  readonly results?: readonly (GatheredResult | null)[];
  /** The rows will be read again by a server: with shortened floats in them it fails (0A000). */
  readonly floatsMustBeExact?: boolean;
  /** Hears what a shard has sent when its connection is free; bytes are those of DataRow frames. */
  shardEnded?(shard: ShardId, received: { readonly rows: number; readonly bytes: number }): void;
  /** From the configuration: bytes a sort may hold. */
  readonly mergeBytesMax: number;
  /**
   * A connection of the shard, ready for an exchange (in a transaction: begun). Called once per
   * shard; `release` is called once when the executor has received the last ReadyForQuery, or the
   * connection is no longer usable.
   */
  acquire(
    shard: ShardId,
    onConnection: (connection: ServerConnection, release: () => void) => void,
    onRefused: (error: PgError) => void,
  ): () => void;
};

export type MultiShardCursor = {
  /**
   * In a transaction, before the first fetch: opens the shards' portals without running them, then
   * suspended() or failed(). The description comes now.
   */
  start(): void;
  /** Emits up to `maxRows` rows (0: all) into the sink, then suspended(), complete() or failed(). */
  fetch(maxRows: number): void;
  /**
   * Gives up, says nothing more to the sink and releases the connections. Shards that still run are
   * cancelled, which fails a transaction; between two fetches of a transaction none does, and the
   * portals are closed. Before the transaction ends every cursor of it must be closed. Idempotent.
   */
  close(): void;
};

export type OpenMultiShardSelect = (request: MultiShardSelect, sink: RowSink) => MultiShardCursor;
