import { failoverLimits } from './failover-limits.ts';
import { type FailoverState, nodeView } from './failover-state.ts';
import { isOfEpoch, isResponsive, type NodeView } from './node-view.ts';
import type { ShardRecord } from './shard-record.ts';

export type Choice =
  | { readonly kind: 'candidate'; readonly node: NodeView }
  | { readonly kind: 'none'; readonly reason: string };

/**
 * Who may replace a dead primary without asking anybody: the one synchronous standby, while the
 * record says that every acknowledged commit is on its disk.
 */
export function automaticCandidate(state: FailoverState, record: ShardRecord, now: number): Choice {
  const { durability } = record;
  if (durability.kind !== 'armed') {
    return none('the standby may lack acknowledged commits (it was not armed)');
  }
  if (state.restarted) {
    return none('the primary restarted and its standby has not caught up since');
  }
  const waitMs = state.lastFailoverAt + state.settings.cooldownMs - now;
  if (waitMs > 0) return none(`the last failover was too recent (${Math.ceil(waitMs)} ms to wait)`);
  const node = nodeView(state, durability.member);
  if (node === null) return none(`the standby ${durability.member} is no longer configured`);
  if (!mayBePromoted(node, record, now)) return none(`the standby ${node.id} is not usable either`);
  return { kind: 'candidate', node };
}

/** The standby that has most, for a decision that an operator takes. */
export function operatorCandidate(state: FailoverState, record: ShardRecord, now: number): Choice {
  const usable = state.nodes
    .filter((node) => node.id !== record.primary && mayBePromoted(node, record, now))
    .sort((a, b) => compareLsn(b, a));
  const [node] = usable;
  if (node === undefined) return none('no standby of this shard is usable');
  return { kind: 'candidate', node };
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

function mayBePromoted(node: NodeView, record: ShardRecord, now: number): boolean {
  return (
    isResponsive(node, now, failoverLimits.candidateSilenceMs) &&
    node.answer?.inRecovery === true &&
    node.answer.systemId === record.systemId &&
    isOfEpoch(node, record)
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
