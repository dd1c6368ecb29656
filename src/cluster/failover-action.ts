import type { LogFields, LogLevel } from '../base/telemetry.ts';
import type { NodeId } from '../config/config.ts';
import type { FailoverJournal } from './failover-journal.ts';
import type { Intent, ShardRecord } from './shard-record.ts';
import type { ShardState } from './shard-state.ts';

/** Work whose result comes back as a `task` event with the same number, within a bounded time. */
export type FailoverTask =
  | { readonly kind: 'save'; readonly record: ShardRecord; readonly expected: number }
  /**
   * Makes the candidate the writable primary of the intent's epoch: promotes it if it is in
   * recovery, lifts a fence, writes the epoch row. May be repeated. `emptyNames`: it must not wait
   * for a standby that it does not have.
   */
  | { readonly kind: 'install'; readonly intent: Intent; readonly emptyNames: boolean }
  /** For a switchover: see TaskResult `drained`. */
  | { readonly kind: 'drain'; readonly primary: NodeId; readonly candidate: NodeId }
  /** Makes commits on the primary wait for the standby of this application name. */
  | { readonly kind: 'arm'; readonly primary: NodeId; readonly applicationName: string }
  /** Commits on the primary no longer wait for anybody. */
  | { readonly kind: 'disarm'; readonly primary: NodeId };

export type FailoverAction =
  | { readonly kind: 'start'; readonly task: number; readonly work: FailoverTask }
  | { readonly kind: 'publish'; readonly state: ShardState }
  /** Ask the standing session and try a fresh connection, `afterMs` from now. */
  | { readonly kind: 'probe'; readonly node: NodeId; readonly afterMs: number }
  /** Best effort, no result: make a stray writable node unable to acknowledge anything. */
  | { readonly kind: 'fence'; readonly node: NodeId }
  | { readonly kind: 'answer-operator'; readonly refusal: OperatorRefusal | null }
  | { readonly kind: 'journal'; readonly entry: FailoverJournal }
  | {
      readonly kind: 'log';
      readonly level: LogLevel;
      readonly message: string;
      readonly fields: LogFields;
    };

/** Why an operator's FAILOVER is not carried out. */
export type OperatorRefusal = { readonly reason: string; readonly hint: string | undefined };
