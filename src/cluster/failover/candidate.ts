import type { NodeId } from '../../config/config.ts';
import { failoverLimits } from './failover-limits.ts';
import { type FailoverState, nodeView } from './failover-state.ts';
import { isOfEpoch, isResponsive, type NodeView } from './node-view.ts';
import type { Durability, ShardRecord } from './shard-record.ts';

/** `nodes`: all that have to be heard, the best first; never empty. */
export type Choice =
  | { readonly kind: 'candidates'; readonly nodes: readonly NodeView[] }
  | { readonly kind: 'none'; readonly reason: string };

/** Who may replace a dead primary without asking anybody. */
export function automaticCandidates(
  state: FailoverState,
  record: ShardRecord,
  now: number,
): Choice {
  if (record.paused) return none('automatic failover is paused');
  if (state.rivalBeats !== null) return none('another pgweave watches this shard as well');
  if (now < state.lastFailoverAt + state.settings.cooldownMs) {
    return none(`the last failover is not yet ${state.settings.cooldownMs} ms ago`);
  }
  return safeCandidates(state, record, now);
}

/**
 * Who may replace a dead primary without a loss: members of the armed set, of which so many answer
 * that one of them has every acknowledged commit. Where commits wait for nobody by the operator's own
 * choice: whoever is near enough.
 */
export function safeCandidates(state: FailoverState, record: ShardRecord, now: number): Choice {
  const { durability } = record;
  if (durability.kind === 'solo') {
    return none('the standby may lack acknowledged commits (it was not armed)');
  }
  if (durability.kind === 'async') return nearCandidates(state, record, now);
  if (state.restarted) {
    return none('the primary restarted and its standby has not caught up since');
  }
  const usable = usableStandbys(state, record, now, durability.members);
  return enoughHeard(durability, usable);
}

/** R + W > N. */
export function enoughHeard(
  durability: Durability & { readonly kind: 'armed' },
  heard: readonly NodeView[],
): Choice {
  const { members, quorum } = durability;
  const needed = members.length - quorum + 1;
  if (heard.length >= needed) return { kind: 'candidates', nodes: heard };
  const missing = members.filter((id) => !heard.some((node) => node.id === id));
  if (members.length === 1) return none(`the standby ${missing.join()} is not usable either`);
  return none(
    `${heard.length} of ${members.length} standbys are usable, ${needed} are needed to be sure of every acknowledged commit (missing: ${missing.join(', ')})`,
  );
}

function nearCandidates(state: FailoverState, record: ShardRecord, now: number): Choice {
  const { lagBytesMax, durability } = state.settings;
  if (durability !== 'async') return none('the standby may lack acknowledged commits (async)');
  const lost = nodeView(state, record.primary)?.answer?.lsn;
  if (lost === undefined) return none('it is not known how far the primary was');
  const usable = usableStandbys(state, record, now);
  const near = usable.filter(({ answer }) => lost - (answer?.lsn ?? 0n) <= BigInt(lagBytesMax));
  const [best] = usable;
  if (near.length > 0) return { kind: 'candidates', nodes: near };
  if (best === undefined) return none('no standby of this shard is usable');
  return none(`the best standby, ${best.id}, is ${lost - (best.answer?.lsn ?? 0n)} bytes behind`);
}

/** Standbys for a decision that an operator takes: the one that was named, or the best first. */
export function operatorCandidates(
  state: FailoverState,
  record: ShardRecord,
  now: number,
  to: NodeId | null,
): Choice {
  if (to === record.primary) return none(`${to} is the primary already`);
  if (to !== null && nodeView(state, to) === null) {
    return none(`${to} is not a node of this shard`);
  }
  const usable = usableStandbys(state, record, now, to === null ? undefined : [to]);
  if (usable.length > 0) return { kind: 'candidates', nodes: usable };
  const named = to === null ? null : nodeView(state, to);
  if (named === null) return none('no standby of this shard is usable');
  return none(`${named.id} ${promotionObstacle(named, record, now) ?? 'cannot be promoted'}`);
}

/**
 * Another tool promoted a standby and the recorded primary became a standby of it: the one node that
 * takes writes and has our history is the primary.
 */
export function successor(state: FailoverState, record: ShardRecord, now: number): NodeView | null {
  const primary = nodeView(state, record.primary);
  const { suspectAfterMs } = state.settings;
  if (primary === null || !isResponsive(primary, now, suspectAfterMs)) return null;
  if (primary.answer?.inRecovery !== true) return null;
  const writable = state.nodes.filter(
    (node) =>
      isResponsive(node, now, suspectAfterMs) &&
      node.answer?.inRecovery === false &&
      node.answer.systemId === record.systemId,
  );
  const [node] = writable;
  return writable.length === 1 && node !== undefined && isOfEpoch(node, record) ? node : null;
}

/** The best of nodes that have one line of history: whose log goes furthest. */
export function bestFirst(nodes: readonly NodeView[]): readonly NodeView[] {
  return nodes.toSorted((a, b) => compareLsn(b, a));
}

/** Why this node cannot become primary, as the end of a sentence about it; null: it can. */
export function promotionObstacle(node: NodeView, record: ShardRecord, now: number): string | null {
  const { answer } = node;
  if (answer === null) return 'has not answered yet';
  if (!isResponsive(node, now, failoverLimits.candidateSilenceMs)) return 'does not answer';
  if (answer.systemId !== record.systemId) return 'belongs to another cluster';
  if (!answer.inRecovery) return 'is not a standby: it takes writes';
  if (!isOfEpoch(node, record)) {
    return `is of epoch ${answer.epoch?.epoch ?? 'none'}, not ${record.epoch}`;
  }
  return null;
}

function usableStandbys(
  state: FailoverState,
  record: ShardRecord,
  now: number,
  among?: readonly NodeId[],
): readonly NodeView[] {
  return bestFirst(
    state.nodes.filter(
      (node) =>
        node.id !== record.primary &&
        (among === undefined || among.includes(node.id)) &&
        promotionObstacle(node, record, now) === null,
    ),
  );
}

function compareLsn(a: NodeView, b: NodeView): number {
  const left = a.answer?.lsn ?? 0n;
  const right = b.answer?.lsn ?? 0n;
  return left < right ? -1 : left > right ? 1 : 0;
}

function none(reason: string): Choice {
  return { kind: 'none', reason };
}
