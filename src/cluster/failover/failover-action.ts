import type { LogFields, LogLevel } from '../../base/telemetry.ts';
import type { NodeId } from '../../config/config.ts';
import type { CheckedFailover } from './failover-check.ts';
import type { FailoverJournal } from './failover-journal.ts';
import type { HookCall } from './hook-call.ts';
import type { OperatorAnswer } from './operator-command.ts';
import type { Intent, ShardRecord } from './shard-record.ts';
import type { ShardState } from './shard-state.ts';
import type { SynchronousSet } from './synchronous-names.ts';

/** Work whose result comes back as a `task` event with the same number, within a bounded time. */
export type FailoverTask =
  | { readonly kind: 'save'; readonly record: ShardRecord; readonly expected: number }
  /**
   * Before a switchover, while statements still flow: opens what its steps will use, and writes out
   * what both servers hold in memory, so that little is left to write afterwards. Whatever cannot be
   * prepared is done later.
   */
  | { readonly kind: 'prepare'; readonly primary: NodeId; readonly candidate: NodeId }
  /** Stops what these standbys receive, so that their positions can be compared. May be repeated. */
  | { readonly kind: 'revoke'; readonly nodes: readonly NodeId[] }
  /**
   * Makes the candidate the writable primary of the intent's epoch: promotes it if it is in
   * recovery, lifts a fence, writes the epoch row. May be repeated. `names`: its
   * synchronous_standby_names from before the promotion on, null leaves them. `fence`: where a fence
   * is demanded, it must stand on this node first.
   */
  | {
      readonly kind: 'install';
      readonly intent: Intent;
      readonly names: string | null;
      readonly fence: HookCall | null;
    }
  /**
   * For a switchover: see TaskResult `drained`. `others` stop receiving, so that none of them gets
   * further than the candidate with what the old primary still writes.
   */
  | {
      readonly kind: 'drain';
      readonly primary: NodeId;
      readonly candidate: NodeId;
      readonly others: readonly NodeId[];
    }
  /** Makes commits on the primary wait for these standbys; `members` are the nodes of their names. */
  | {
      readonly kind: 'arm';
      readonly primary: NodeId;
      readonly members: readonly NodeId[];
      readonly set: SynchronousSet;
    }
  /** Gives up the standbys that commits on the primary wait for. */
  | { readonly kind: 'disarm'; readonly primary: NodeId; readonly names: string };

export type FailoverAction =
  | { readonly kind: 'start'; readonly task: number; readonly work: FailoverTask }
  | { readonly kind: 'publish'; readonly state: ShardState }
  /** Ask the standing session and try a fresh connection, `afterMs` from now. */
  | { readonly kind: 'probe'; readonly node: NodeId; readonly afterMs: number }
  /** No result: the next task may need sessions to these nodes, which are opened meanwhile. */
  | { readonly kind: 'open-sessions'; readonly nodes: readonly NodeId[] }
  /** Best effort, no result: make a stray writable node unable to acknowledge anything. */
  | { readonly kind: 'fence'; readonly node: NodeId }
  /** Best effort, no result: let a standby receive from this primary. */
  | { readonly kind: 'repoint'; readonly node: NodeId; readonly primary: NodeId }
  /** The end of a rejoin comes back as a `rejoined` event. */
  | { readonly kind: 'hook'; readonly call: HookCall }
  | { readonly kind: 'answer-operator'; readonly answer: OperatorAnswer }
  | { readonly kind: 'journal'; readonly entry: FailoverJournal }
  | ({ readonly kind: 'checked' } & CheckedFailover)
  | {
      readonly kind: 'log';
      readonly level: LogLevel;
      readonly message: string;
      readonly fields: LogFields;
    };
