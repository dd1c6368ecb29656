import type { Draft } from './draft.ts';
import { failoverLimits } from './failover-limits.ts';
import { isResponsive, type NodeView } from './node-view.ts';
import type { ShardRecord } from './shard-record.ts';

/** No standby has this name: commits of a server with this setting are never acknowledged. */
export const fencedNames = '__fenced__';

/** Writable, of this shard, and not its primary: an old primary that came back, or a split brain. */
export function isStray(node: NodeView, record: ShardRecord): boolean {
  const { answer } = node;
  if (answer === null || node.id === record.primary) return false;
  return !answer.inRecovery && answer.systemId === record.systemId;
}

/**
 * Makes strays unable to acknowledge. Never one whose epoch is newer than ours: then we are the ones
 * who missed something.
 */
export function fenceStrays(draft: Draft, record: ShardRecord): void {
  const nodes = draft.state.nodes.map((node) => {
    if (!isStray(node, record)) return node;
    if (!isResponsive(node, draft.now, draft.state.settings.suspectAfterMs)) return node;
    if (node.answer?.synchronousStandbyNames === fencedNames) return node;
    if (draft.now - node.fencedAt < failoverLimits.fenceEveryMs) return node;
    const epoch = node.answer?.epoch?.epoch ?? 0;
    if (epoch > record.epoch) {
      draft.log('error', 'a node is of a newer epoch than the cluster record', {
        node: node.id,
        epoch,
        recorded: record.epoch,
      });
      return { ...node, fencedAt: draft.now };
    }
    draft.log('warn', 'quarantining a writable node that is not the primary', {
      node: node.id,
      epoch,
    });
    draft.actions.push({ kind: 'fence', node: node.id });
    return { ...node, fencedAt: draft.now };
  });
  draft.change({ nodes });
}
