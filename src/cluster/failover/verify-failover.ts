import { alarms } from './alarms.ts';
import type { Draft } from './draft.ts';
import type { FailoverCheck } from './failover-check.ts';
import { failoverLimits } from './failover-limits.ts';
import { nodeView } from './failover-state.ts';
import { isStray } from './fence.ts';
import type { ShardRecord } from './shard-record.ts';
import { streamingStandbys } from './standby-watch.ts';

/** Looks once, when an open shard has had the time to settle. */
export function verifyFailover(draft: Draft, record: ShardRecord): void {
  const { verification, shard } = draft.state;
  if (verification === null || verification.epoch !== record.epoch) return;
  const { openedAt, suspectedAt, firstCommitAt } = verification;
  if (draft.now - openedAt < failoverLimits.verifyAfterMs) return;
  draft.change({ verification: null });
  const primary = nodeView(draft.state, record.primary)?.answer ?? null;
  const standbys = primary === null ? [] : streamingStandbys(draft.state, record, primary);
  const streaming = standbys.map(({ node }) => node.id);
  const check: FailoverCheck = {
    firstCommitMs: firstCommitAt === null ? null : Math.round(firstCommitAt - suspectedAt),
    streaming,
    durability: record.durability.kind,
    // Workers know.
    holds: [],
    errors: {},
    left: [
      ...(firstCommitAt === null ? [`${record.primary} has acknowledged no write yet`] : []),
      ...draft.state.nodes.flatMap((node) => {
        if (node.id === record.primary || streaming.includes(node.id)) return [];
        if (isStray(node, record)) return [`${node.id} takes writes as well and is to rejoin`];
        return [`${node.id} does not stream from it`];
      }),
      ...alarms(draft.state, draft.now),
    ],
  };
  draft.actions.push({ kind: 'checked', shard, epoch: record.epoch, check });
}
