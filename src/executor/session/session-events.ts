import type { ShardId } from '../../sharding/shard-id.ts';
import type { CopyReceiver } from '../copy/copy-receiver.ts';
import type { MovedPortal } from '../cursors/shards-cursor.ts';
import type { PlannedStatement } from '../planned-statement.ts';
import type { KeptStateEvents } from './kept-state.ts';

/** What a session hears of its statements. */
export type SessionEvents = KeptStateEvents & {
  /** DISCARD ALL: prepared statements are forgotten. */
  discardAll(): void;
  /** COPY data are waited for: whatever the client sends of them goes there. */
  copyIn(receiver: CopyReceiver): void;
  /** SQL's PREPARE: as Parse would. */
  prepare(name: string, sql: string, typeOids: readonly number[]): void;
  /** As it is planned now; null: there is none of the name. Throws PgError where it is refused. */
  preparedStatement(name: string): PreparedText | null;
  /** `name` null: all. False: there is none. */
  deallocate(name: string | null): boolean;
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

/** A prepared statement of the session, for SQL. */
export type PreparedText = {
  readonly planned: PlannedStatement;
  readonly typeOids: readonly number[];
  /** On every server. */
  readonly serverName: string;
};

/** A portal of the protocol, for SQL. */
export type ClientPortal = {
  /** The shard whose server has it, under the same name; null: several shards, or none yet. */
  readonly shard: ShardId | null;
  /** A SELECT over several shards, opened now if it has not been; null for all others. */
  open(): MovedPortal | null;
  close(): void;
};
