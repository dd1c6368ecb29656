import type { ShardId } from '../sharding/shard-id.ts';
import type { CopyReceiver } from './copy/copy-receiver.ts';
import type { KeptStateEvents } from './kept-state.ts';

/** What a session hears of its statements. */
export type SessionEvents = KeptStateEvents & {
  /** DISCARD ALL: prepared statements are forgotten. */
  discardAll(): void;
  /** COPY data are waited for: whatever the client sends of them goes there. */
  copyIn(receiver: CopyReceiver): void;
  /** A COPY that waits for data is over: it has failed. */
  errorPassed(): void;
  /** Cursors, too: before a block is committed or rolled back, and for CLOSE ALL. */
  closePortals(): void;
  /** Of the transaction's savepoints only `savepointCount` are left; what follows them stays. */
  savepointReleased(): void;
  /** Likewise, and what was opened after the last one of them is to be closed. */
  savepointRolledBack(): void;
  /** What the client's Bind has opened under the name. */
  portal(name: string): ClientPortal | null;
};

/** A portal of the protocol, for SQL. */
export type ClientPortal = {
  /** The shard whose server has it, under the same name; null: several shards, or none yet. */
  readonly shard: ShardId | null;
  close(): void;
};
