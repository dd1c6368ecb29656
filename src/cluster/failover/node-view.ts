import type { NodeId } from '../../config/config.ts';
import type { FailoverEvent } from './failover-event.ts';
import type { ProbeAnswer } from './probe-answer.ts';
import type { ShardRecord } from './shard-record.ts';

/** Backends of a killed postmaster finish what they do before they exit: bytes in that time prove nothing. */
const orphanMs = 100;

/** What the machine knows about one node. Times are Clock.now(); -Infinity is never. */
export type NodeView = {
  readonly id: NodeId;
  readonly answer: ProbeAnswer | null;
  readonly askedAt: number;
  readonly answeredAt: number;
  /** Last byte on a logged-in connection, ours or a worker's. */
  readonly heardAt: number;
  /** Last sign of life of any kind. */
  readonly aliveAt: number;
  /** Last time that a connection ended unasked. */
  readonly lostAt: number;
  /** Refused connects in a row since the last sign of life. */
  readonly refusals: number;
  readonly firstRefusedAt: number;
  readonly lastRefusedAt: number;
  /** First 57P03 since the last sign of life. */
  readonly startingSince: number | null;
  /** Fresh connections that got no answer, in a row, although its sessions answer. */
  readonly silentConnects: number;
  readonly probedAt: number;
  readonly fencedAt: number;
  /** It was pointed to the primary of this epoch, first and last; null: not yet. */
  readonly repoint: { readonly epoch: number; readonly since: number; readonly at: number } | null;
  /** The run of its rejoin hook, or what became of the last one; null: none yet. */
  readonly rejoin: Rejoin | null;
};

/** `epoch`: that it was to rejoin. A failed one is not repeated until an operator asks. */
export type Rejoin = {
  readonly epoch: number;
  readonly state: 'running' | 'later' | 'failed' | 'done';
  readonly at: number;
};

/** A node nobody has heard of yet. Its silence counts from `now`. */
export function unseenNode(id: NodeId, now: number): NodeView {
  return {
    id,
    answer: null,
    askedAt: -Infinity,
    answeredAt: -Infinity,
    heardAt: -Infinity,
    aliveAt: now,
    lostAt: -Infinity,
    refusals: 0,
    firstRefusedAt: -Infinity,
    lastRefusedAt: -Infinity,
    startingSince: null,
    silentConnects: 0,
    probedAt: -Infinity,
    fencedAt: -Infinity,
    repoint: null,
    rejoin: null,
  };
}

/** The view after an event about this node; other kinds of events change nothing. */
export function observe(view: NodeView, event: FailoverEvent): NodeView {
  switch (event.kind) {
    case 'answer':
      // Answers overtake each other: one that was asked for before a promotion must not undo it.
      if (event.askedAt < view.askedAt) return view;
      return {
        ...heard(view, event.askedAt, event.at),
        answer: event.answer,
        askedAt: event.askedAt,
        answeredAt: event.at,
        heardAt: event.at,
      };
    case 'connect':
      return connected(view, event);
    case 'lost':
      return { ...view, lostAt: event.at };
    case 'life':
      if (event.heardAt <= view.aliveAt) return view;
      return { ...heard(view, event.heardAt, event.heardAt), heardAt: event.heardAt };
    case 'rejoined': {
      const { kind } = event.outcome;
      return view.rejoin === null
        ? view
        : { ...view, rejoin: { ...view.rejoin, state: kind, at: event.at } };
    }
    case 'stalled':
      return {
        ...view,
        aliveAt: Math.min(event.at, view.aliveAt + event.byMs),
        startingSince: view.startingSince === null ? null : view.startingSince + event.byMs,
      };
    default:
      return view;
  }
}

function connected(
  view: NodeView,
  event: Extract<FailoverEvent, { readonly kind: 'connect' }>,
): NodeView {
  switch (event.outcome) {
    case 'alive':
      return { ...alive(view, event.at), silentConnects: 0 };
    case 'silent':
      return { ...view, silentConnects: view.silentConnects + 1 };
    case 'starting':
      return { ...view, refusals: 0, startingSince: view.startingSince ?? event.at };
    case 'refused':
      return {
        ...view,
        refusals: view.refusals + 1,
        firstRefusedAt: view.refusals === 0 ? event.at : view.firstRefusedAt,
        lastRefusedAt: event.at,
      };
    default:
      return view;
  }
}

/** Sent after `since`. What is told after a refusal, but may be older, takes nothing back. */
function heard(view: NodeView, since: number, at: number): NodeView {
  const isNewer = since > Math.max(view.lastRefusedAt, view.startingSince ?? -Infinity);
  return isNewer ? alive(view, at) : { ...view, aliveAt: Math.max(view.aliveAt, at) };
}

function alive(view: NodeView, at: number): NodeView {
  return { ...view, aliveAt: Math.max(view.aliveAt, at), refusals: 0, startingSince: null };
}

/** Spoke lately, and since the last lost connection. */
export function isResponsive(view: NodeView, now: number, silenceMsMax: number): boolean {
  const survived = view.answeredAt >= view.lostAt || view.heardAt > view.lostAt + orphanMs;
  return survived && view.answer !== null && now - view.aliveAt <= silenceMsMax;
}

/** What keeps this node from being the record's primary; null when it is the one. */
export function misfit(view: NodeView, record: ShardRecord): string | null {
  const { answer, id } = view;
  if (answer === null) return `${id} has not answered yet`;
  if (answer.systemId !== record.systemId) return `${id} belongs to another cluster`;
  if (answer.inRecovery) return `${id} is in recovery`;
  if (answer.timeline !== record.timeline) {
    return `${id} is on timeline ${answer.timeline}, not ${record.timeline}`;
  }
  if (!isOfEpoch(view, record)) {
    return `${id} is of epoch ${answer.epoch?.epoch ?? 'none'}, not ${record.epoch}`;
  }
  return null;
}

/** Its contents belong to the line of history that the record names. */
export function isOfEpoch(view: NodeView, record: ShardRecord): boolean {
  const row = view.answer?.epoch;
  return row !== null && row?.epoch === record.epoch && row.uuid === record.uuid;
}
