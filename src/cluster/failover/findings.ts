import type { NodeId } from '../../config/config.ts';
import { type FailoverState, nodeView } from './failover-state.ts';
import { isStray } from './fence.ts';
import { isOfEpoch } from './node-view.ts';
import type { ProbeAnswer } from './probe-answer.ts';

/**
 * What is wrong with a primary that has just been made, in words. `from` is the one before it; the
 * heartbeat is still that one's.
 */
export function findings(state: FailoverState, from: NodeId): readonly string[] {
  const { record, heartbeat } = state;
  const primary = record === null ? null : nodeView(state, record.primary);
  const answer = primary?.answer ?? null;
  if (record === null || primary === null || answer === null) return ['the primary is not known'];
  const wrong: string[] = [];
  if (answer.inRecovery) wrong.push(`${primary.id} is in recovery`);
  if (!isOfEpoch(primary, record)) wrong.push(`${primary.id} lacks the row of its epoch`);
  wrong.push(...historyFindings(state, from, primary.id, answer));
  const { acknowledgedLsn } = heartbeat;
  if (primary.id !== from && acknowledgedLsn !== null && answer.lsn < acknowledgedLsn) {
    wrong.push(
      `${primary.id} ends ${acknowledgedLsn - answer.lsn} bytes before an acknowledged commit`,
    );
  }
  // One of an older epoch is quarantined, as every old primary.
  for (const node of state.nodes) {
    const isOlder = (node.answer?.epoch?.epoch ?? 0) < record.epoch;
    if (isStray(node, record) && !isOlder) wrong.push(`${node.id} takes writes as well`);
  }
  return wrong;
}

/** The same cluster, and nobody on the timeline before has more. */
function historyFindings(
  state: FailoverState,
  from: NodeId,
  primary: NodeId,
  answer: ProbeAnswer,
): readonly string[] {
  const before = nodeView(state, from)?.answer ?? null;
  if (primary === from || before === null) return [];
  const others = state.nodes.filter((node) => node.id !== primary && node.id !== from);
  return [
    ...(answer.systemId === before.systemId ? [] : [`${primary} belongs to another cluster`]),
    ...(answer.timeline > before.timeline
      ? []
      : [`${primary} is on timeline ${answer.timeline}, and ${from} was on ${before.timeline}`]),
    ...others.flatMap(({ id, answer: other }) =>
      other?.inRecovery === true && other.timeline < answer.timeline && other.lsn > answer.lsn
        ? [`${id} has ${other.lsn - answer.lsn} bytes more than ${primary}`]
        : [],
    ),
  ];
}
