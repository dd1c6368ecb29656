import type { Draft } from './draft.ts';
import { failoverLimits } from './failover-limits.ts';
import { nodeView } from './failover-state.ts';
import { fencedNames, isStray } from './fence.ts';
import { hookCall } from './hook-of.ts';
import { isResponsive, type NodeView } from './node-view.ts';
import type { ProbeAnswer } from './probe-answer.ts';
import type { ShardRecord } from './shard-record.ts';

/**
 * Leads the other nodes back to the primary of an open shard: a standby that receives nothing from it
 * is pointed there, an old primary is handed to the rejoin hook. PostgreSQL itself refuses to stream to
 * a standby whose history has parted.
 */
export function repair(draft: Draft, record: ShardRecord): void {
  for (const node of draft.state.nodes) {
    if (node.id === record.primary) continue;
    if (mayRepoint(draft, record, node)) repoint(draft, record, node);
    if (mayRejoin(draft, record, node)) startRejoin(draft, record, node);
  }
}

/** Also for an operator's REJOIN. */
export function startRejoin(draft: Draft, record: ShardRecord, node: NodeView): void {
  draft.log('info', 'running the rejoin hook', { node: node.id, primary: record.primary });
  const message = `${node.id} is to become a standby of ${record.primary}`;
  const about = { hook: 'rejoin', event: 'rejoin', node: node.id, message } as const;
  draft.actions.push({ kind: 'hook', call: hookCall(record, about) });
  const rejoin = { epoch: record.epoch, state: 'running', at: draft.now } as const;
  draft.changeNode(node.id, { rejoin });
}

/**
 * One of an older epoch has received nothing from this primary yet, and one that points nowhere was
 * revoked. Any other knows where its primary is, perhaps by an address that we do not know.
 */
function mayRepoint(draft: Draft, record: ShardRecord, node: NodeView): boolean {
  const { answer } = node;
  if (answer === null || !answer.inRecovery || answer.systemId !== record.systemId) return false;
  if (answer.upstream === null || isServed(draft, record, answer)) return false;
  if (draft.now - (node.repoint?.at ?? -Infinity) < failoverLimits.repointEveryMs) return false;
  if (!isResponsive(node, draft.now, draft.state.settings.suspectAfterMs)) return false;
  if (node.rejoin?.state === 'running' || answer.upstream === record.primary) return false;
  return answer.revoked || (answer.epoch?.epoch ?? 0) < record.epoch;
}

/** By this primary, or, as far as anybody can tell, by another standby of it. */
function isServed(draft: Draft, record: ShardRecord, answer: ProbeAnswer): boolean {
  if (answer.receiverAgeMs === null) return false;
  const rows = nodeView(draft.state, record.primary)?.answer?.standbys ?? [];
  const isListed = rows.some((row) => row.applicationName === answer.applicationName);
  return isListed || (answer.epoch?.epoch ?? 0) >= record.epoch;
}

function repoint(draft: Draft, record: ShardRecord, node: NodeView): void {
  draft.log('info', 'pointing a standby to the primary', {
    node: node.id,
    primary: record.primary,
    before: node.answer?.revoked === true ? 'nowhere' : node.answer?.upstream,
  });
  draft.actions.push({ kind: 'repoint', node: node.id, primary: record.primary });
  const { epoch } = record;
  const since = node.repoint?.epoch === epoch ? node.repoint.since : draft.now;
  draft.changeNode(node.id, { repoint: { epoch, since, at: draft.now } });
}

/** Only what is fenced or receives nothing: nobody works on it. */
function mayRejoin(draft: Draft, record: ShardRecord, node: NodeView): boolean {
  const { rejoin, answer } = node;
  if (answer === null || !draft.state.settings.rejoin || record.paused) return false;
  const isFenced = isStray(node, record) && answer.synchronousStandbyNames === fencedNames;
  if (!isFenced && !hasParted(draft, record, node)) return false;
  if (!isResponsive(node, draft.now, draft.state.settings.suspectAfterMs)) return false;
  if ((answer.epoch?.epoch ?? 0) > record.epoch) return false;
  if (rejoin === null || rejoin.epoch !== record.epoch) return true;
  return rejoin.state === 'later' && draft.now - rejoin.at >= failoverLimits.rejoinAgainMs;
}

/** A standby that was told where the primary is, long ago, and got nothing from it: it cannot follow. */
function hasParted(draft: Draft, record: ShardRecord, { answer, repoint }: NodeView): boolean {
  if (answer?.inRecovery !== true || answer.receiverAgeMs !== null) return false;
  if (repoint === null || repoint.epoch !== record.epoch) return false;
  if ((answer.epoch?.epoch ?? 0) >= record.epoch || answer.systemId !== record.systemId)
    return false;
  return draft.now - repoint.since >= failoverLimits.partedAfterMs;
}
