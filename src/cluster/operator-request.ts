import { automaticCandidate, operatorCandidate } from './candidate.ts';
import { claim } from './claim.ts';
import type { Draft } from './draft.ts';
import { failoverLimits } from './failover-limits.ts';
import { nodeView } from './failover-state.ts';
import type { NodeView } from './node-view.ts';
import type { ShardRecord } from './shard-record.ts';

/** FAILOVER of an open shard: its primary lives, so nothing may be lost. */
export function switchOver(draft: Draft, record: ShardRecord): void {
  if (draft.state.request?.accepted !== false || taskInTheWay(draft)) return;
  const choice = operatorCandidate(draft.state, record, draft.now);
  const refusal =
    choice.kind === 'none' ? choice.reason : standbyObjection(draft, record, choice.node);
  if (choice.kind === 'none' || refusal !== null) {
    draft.answerOperator({ reason: refusal ?? '', hint: 'see SHOW NODES' });
    return;
  }
  claim(draft, { record, candidate: choice.node.id, cause: 'operator', drainFirst: true });
}

/** FAILOVER of a shard whose primary is dead, and which was not failed over by itself. */
export function forceFailover(draft: Draft, record: ShardRecord, reason: string): void {
  const { request } = draft.state;
  if (request?.accepted !== false || taskInTheWay(draft)) return;
  const choice = operatorCandidate(draft.state, record, draft.now);
  if (choice.kind === 'none') {
    draft.answerOperator({ reason: choice.reason, hint: 'see SHOW NODES' });
    return;
  }
  // An operator need not wait for a cool-down, but must say so where commits may be lost.
  const safe = automaticCandidate({ ...draft.state, lastFailoverAt: -Infinity }, record, draft.now);
  if (safe.kind === 'none' && !request.allowDataLoss) {
    draft.answerOperator({
      reason: `${reason}: acknowledged commits could be lost`,
      hint: `bring ${record.primary} back, or allow the loss: FAILOVER ${record.shard} ALLOW DATA LOSS`,
    });
    return;
  }
  const { id } = safe.kind === 'candidate' ? safe.node : choice.node;
  claim(draft, { record, candidate: id, cause: 'operator' });
}

function standbyObjection(draft: Draft, record: ShardRecord, node: NodeView): string | null {
  const primary = nodeView(draft.state, record.primary);
  if (node.answer?.receiverAgeMs === null) return `${node.id} does not stream from the primary`;
  const lag = (primary?.answer?.lsn ?? 0n) - (node.answer?.replayLsn ?? 0n);
  if (lag > failoverLimits.lagBytesMax) return `${node.id} is ${lag} bytes behind`;
  return null;
}

function taskInTheWay(draft: Draft): boolean {
  const { task } = draft.state;
  return task !== null && task.work.kind !== 'arm';
}
