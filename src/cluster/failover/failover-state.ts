import { assert } from '../../base/assert.ts';
import type { CrashSetting, NodeId } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { FailoverTask } from './failover-action.ts';
import type { Verification } from './failover-check.ts';
import type { FailoverJournal } from './failover-journal.ts';
import { type NodeView, unseenNode } from './node-view.ts';
import type { OperatorCommand } from './operator-command.ts';
import type { EpochRow } from './probe-answer.ts';
import type { StoredRecord } from './record-store.ts';
import type { Intent, ShardPhase, ShardRecord } from './shard-record.ts';
import type { ShardState } from './shard-state.ts';
import type { XidBounds } from './xid-bounds.ts';

/** The configured part of the machine's timing; milliseconds. */
export type FailoverSettings = {
  readonly suspectAfterMs: number;
  readonly hangMs: number;
  readonly restartGraceMs: number;
  /** Silent to us, but its standby still receives: how long before we believe ourselves. */
  readonly partitionMs: number;
  /** Commits wait this long for a standby that has gone before they no longer do. */
  readonly degradeAfterMs: number;
  readonly promoteTimeoutMs: number;
  readonly cooldownMs: number;
  /** `sync`: commits wait while there is a standby. `strict`: always. `async`: never. */
  readonly durability: 'sync' | 'strict' | 'async';
  /** How many standbys each commit waits for. */
  readonly synchronousStandbys: number;
  /** Async: a standby further behind the last known position of the primary is not promoted. */
  readonly lagBytesMax: number;
  /** What may be off on its servers without an alarm. */
  readonly acceptsOff: readonly CrashSetting[];
  readonly fence: 'none' | 'best_effort' | 'required';
  /** There is a hook for it. */
  readonly rejoin: boolean;
  readonly notify: boolean;
};

export type Cause = FailoverJournal['cause'];

/**
 * `seeking`: no record, the primary is not known yet. `suspect`: statements are held until the
 * primary answers or is proved dead. `blocked`: no usable primary, and none may be made without more
 * evidence or an operator. `claiming` to `opening`: the steps of a change, each waiting for its task.
 */
export type Phase =
  | { readonly kind: 'seeking'; readonly reason: string }
  | { readonly kind: 'open' }
  | { readonly kind: 'suspect'; readonly since: number }
  | { readonly kind: 'blocked'; readonly reason: string }
  | {
      readonly kind: 'claiming';
      readonly cause: Cause;
      readonly step: Exclude<ShardPhase, { readonly kind: 'open' }>;
    }
  | { readonly kind: 'revoking'; readonly cause: Cause; readonly intent: EpochRow }
  | { readonly kind: 'draining'; readonly cause: Cause; readonly intent: Intent }
  | {
      readonly kind: 'promoting';
      readonly cause: Cause;
      readonly intent: Intent;
      readonly since: number;
    }
  | {
      readonly kind: 'opening';
      readonly cause: Cause;
      readonly from: NodeId;
      readonly record: ShardRecord;
    };

export type Task = { readonly id: number; readonly work: FailoverTask };

export type JournalTimes = Pick<
  FailoverJournal,
  'suspectedAt' | 'confirmedAt' | 'claimedAt' | 'promotedAt'
>;

/** How a standby has been doing in the eyes of the primary. */
export type StandbyWatch = {
  readonly node: NodeId;
  /** It does not stream since; null when it does. */
  readonly missingSince: number | null;
  /** The position it last confirmed, and since when it has not moved. */
  readonly flushLsn: bigint;
  readonly frozenSince: number;
};

/** What an operator asked and has not been answered. */
export type OperatorRequest = {
  readonly command: OperatorCommand;
  /** It is being done. */
  readonly accepted: boolean;
  /** The node that has been prepared for a switchover; null: none yet. */
  readonly prepared: NodeId | null;
};

/** What our own writes on the primary tell. */
export type Heartbeat = {
  /** Acknowledged in this epoch: must never be lost. null: none yet. */
  readonly acknowledgedLsn: bigint | null;
  /** A write waits since; null: none does. */
  readonly lateSince: number | null;
};

/** `epoch` followed `after`, both open, by a promotion. */
export type Succession = {
  readonly after: number;
  readonly epoch: number;
  /** When the processes of the primary before it began, the last ones: see ProbeAnswer. */
  readonly startedAt: string;
  readonly xids: XidBounds;
};

export type FailoverState = {
  readonly shard: ShardId;
  readonly settings: FailoverSettings;
  /** `failover`: we promote. `follow`: we route to whatever node takes writes, and change nothing. */
  readonly mode: 'failover' | 'follow';
  readonly nodes: readonly NodeView[];
  readonly phase: Phase;
  /** As durably saved (in follow mode: in memory only). */
  readonly record: ShardRecord | null;
  readonly revision: number;
  /** A save failed, so that the stored record may be the one before it or the one it wrote. */
  readonly doubtful: boolean;
  /** The highest epoch ever published, recorded or reserved. */
  readonly epochMax: number;
  /** At most one piece of work at a time. */
  readonly task: Task | null;
  readonly taskCount: number;
  /** Do not try again before, after a step of a change failed. */
  readonly retryAt: number;
  /** The same for arming and disarming, which a failover must not wait for. */
  readonly durabilityRetryAt: number;
  /** Start time of the primary for which `armed` was last verified; null: verify it again. */
  readonly armedStart: string | null;
  /**
   * The primary restarted since: commits that waited for the standby then are visible now without
   * it. Nobody is promoted automatically until the standby has passed them.
   */
  readonly restarted: boolean;
  readonly watches: readonly StandbyWatch[];
  readonly heartbeat: Heartbeat;
  /** Writes of our own since another supervisor wrote on this primary; null: there is no other. */
  readonly rivalBeats: number | null;
  /** Of the last promotion; null: none in this life of the supervisor. */
  readonly succession: Succession | null;
  /** Of the last change of the primary; null: done. */
  readonly verification: Verification | null;
  readonly request: OperatorRequest | null;
  /** What an operator has been told of: see alarms(). */
  readonly alarms: readonly string[];
  readonly lastFailoverAt: number;
  readonly failovers: number;
  /** See findings(): of all primaries since the start. */
  readonly findingsCount: number;
  readonly times: JournalTimes;
  /** Of the last confirmed loss of a primary. */
  readonly lossReason: string;
  readonly published: ShardState | null;
};

export type Beginning = {
  readonly shard: ShardId;
  readonly nodes: readonly NodeId[];
  readonly settings: FailoverSettings;
  readonly mode: 'failover' | 'follow';
  readonly stored: StoredRecord | null;
  /** Of the machine that this one takes the place of, which has stopped. */
  readonly before: FailoverState | null;
  readonly now: number;
};

/** The machine of a supervisor that has just started: everything but the record has to be learned. */
export function beginFailover(beginning: Beginning): FailoverState {
  const { shard, nodes, settings, mode, stored, before, now } = beginning;
  assert(nodes.length > 0, 'a shard has a node');
  const isFollowed = mode === 'follow' && before?.mode === 'follow';
  const record = isFollowed ? before.record : (stored?.record ?? null);
  const fresh: FailoverState = {
    shard,
    settings,
    mode,
    nodes: nodes.map((id) => unseenNode(id, now)),
    phase: phaseOfRecord(record, now),
    record,
    revision: stored?.revision ?? 0,
    doubtful: false,
    epochMax: record === null ? 0 : epochsOf(record),
    task: null,
    taskCount: 0,
    retryAt: -Infinity,
    durabilityRetryAt: -Infinity,
    armedStart: null,
    restarted: false,
    watches: [],
    heartbeat: { acknowledgedLsn: null, lateSince: null },
    rivalBeats: null,
    succession: null,
    verification: null,
    request: null,
    alarms: [],
    lastFailoverAt: -Infinity,
    failovers: 0,
    findingsCount: 0,
    times: { suspectedAt: now, confirmedAt: now, claimedAt: now, promotedAt: now },
    lossReason: '',
    published: null,
  };
  return before === null ? fresh : informed(fresh, before, now);
}

/** What was seen and told stays true for a machine with other settings or nodes. */
function informed(fresh: FailoverState, before: FailoverState, now: number): FailoverState {
  const { failovers, findingsCount, lastFailoverAt, times, lossReason, published } = before;
  const ids = fresh.nodes.map(({ id }) => id);
  return {
    ...fresh,
    nodes: fresh.nodes.map((node) => {
      const known = nodeView(before, node.id);
      if (known === null) return node;
      // Nobody will tell how a hook ends that runs still.
      const isRejoining = known.rejoin?.state === 'running';
      return isRejoining
        ? { ...known, rejoin: { ...known.rejoin, state: 'later', at: now } }
        : known;
    }),
    epochMax: Math.max(fresh.epochMax, before.epochMax),
    restarted: before.restarted,
    watches: fresh.mode === 'follow' ? [] : before.watches.filter(({ node }) => ids.includes(node)),
    heartbeat: { ...before.heartbeat, lateSince: null },
    rivalBeats: before.rivalBeats,
    succession: before.succession,
    verification: before.verification,
    alarms: before.alarms,
    ...{ failovers, findingsCount, lastFailoverAt, times, lossReason, published },
  };
}

/** Where a recorded shard goes on; a recorded promotion is resumed, whoever began it. */
export function phaseOfRecord(record: ShardRecord | null, now: number): Phase {
  if (record === null) return { kind: 'seeking', reason: 'looking for the primary' };
  if (record.phase.kind === 'promoting') {
    const { intent } = record.phase;
    const cause = intent.candidate === record.primary ? 'reopened' : 'failure';
    return { kind: 'promoting', cause, intent, since: now };
  }
  return { kind: 'suspect', since: now };
}

/** The highest epoch that the record uses or has promised to somebody. */
export function epochsOf(record: ShardRecord): number {
  return record.phase.kind === 'open' ? record.epoch : record.phase.intent.epoch;
}

export function nodeView(state: FailoverState, id: NodeId): NodeView | null {
  return state.nodes.find((node) => node.id === id) ?? null;
}
