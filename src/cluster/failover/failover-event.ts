import type { NodeId } from '../../config/config.ts';
import type { HookOutcome } from './hook-call.ts';
import type { OperatorCommand } from './operator-command.ts';
import type { ConnectOutcome, ProbeAnswer } from './probe-answer.ts';
import type { StoredRecord } from './record-store.ts';
import type { XidBounds } from './xid-bounds.ts';

/** What a task that the machine asked for came to. */
export type TaskResult =
  | { readonly kind: 'saved'; readonly revision: number }
  /** Somebody else wrote the record first. */
  | { readonly kind: 'outdated'; readonly stored: StoredRecord | null }
  /** These standbys receive nothing any more; their answers were asked for after that. */
  | { readonly kind: 'revoked'; readonly frozen: readonly FrozenStandby[] }
  /**
   * The node takes writes and holds the epoch row; `answer` was asked for after that. `switchLsn`:
   * where its recovery ended, null when it was no standby.
   */
  | {
      readonly kind: 'installed';
      readonly answer: ProbeAnswer;
      readonly askedAt: number;
      readonly switchLsn: string | null;
      /** null: it had been promoted before. */
      readonly xids: XidBounds | null;
    }
  | { readonly kind: 'prepared' }
  /** The primary acknowledges nothing any more, and the candidate has everything it ever did. */
  | { readonly kind: 'drained' }
  /** The members have flushed everything up to a moment when commits already waited for them. */
  | { readonly kind: 'armed'; readonly startedAt: string }
  | { readonly kind: 'disarmed' }
  | { readonly kind: 'failed'; readonly reason: string };

export type FrozenStandby = {
  readonly node: NodeId;
  readonly answer: ProbeAnswer;
  readonly askedAt: number;
};

/** Everything the machine learns. `at` and all other times: Clock.now() of the supervisor. */
export type FailoverEvent =
  | { readonly kind: 'tick'; readonly at: number }
  | {
      readonly kind: 'answer';
      readonly at: number;
      readonly askedAt: number;
      readonly node: NodeId;
      readonly answer: ProbeAnswer;
    }
  | {
      readonly kind: 'connect';
      readonly at: number;
      readonly node: NodeId;
      readonly outcome: ConnectOutcome;
    }
  /** A server connection to the node ended unasked: the probe's or a worker's. */
  | { readonly kind: 'lost'; readonly at: number; readonly node: NodeId }
  /** Bytes came from the node at `heardAt` on some worker's connection. */
  | {
      readonly kind: 'life';
      readonly at: number;
      readonly node: NodeId;
      readonly heardAt: number;
    }
  /** We did not run for `byMs` longer than we should: silence in that time proves nothing. */
  | { readonly kind: 'stalled'; readonly at: number; readonly byMs: number }
  | {
      readonly kind: 'task';
      readonly at: number;
      readonly task: number;
      readonly result: TaskResult;
    }
  /**
   * A write of our own is acknowledged: `acknowledgedLsn` is a position that must never be lost.
   * `isRivalled`: another supervisor has written, too.
   */
  | {
      readonly kind: 'heartbeat';
      readonly at: number;
      readonly node: NodeId;
      readonly acknowledgedLsn: bigint;
      readonly isRivalled: boolean;
    }
  /** A write of our own has waited since `sentAt`. */
  | {
      readonly kind: 'heartbeat-late';
      readonly at: number;
      readonly node: NodeId;
      readonly sentAt: number;
    }
  /** A rejoin hook has ended. */
  | {
      readonly kind: 'rejoined';
      readonly at: number;
      readonly node: NodeId;
      readonly outcome: HookOutcome;
    }
  | { readonly kind: 'operator'; readonly at: number; readonly command: OperatorCommand };
