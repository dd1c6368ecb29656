import { assert } from '../../base/assert.ts';
import type { NodeId } from '../../config/config.ts';
import { tellAlarms } from './alarms.ts';
import type { Draft } from './draft.ts';
import { failoverLimits } from './failover-limits.ts';
import { nodeView } from './failover-state.ts';
import { isResponsive, type NodeView } from './node-view.ts';
import type { ShardRecord } from './shard-record.ts';

/**
 * Somebody else decides who is primary (another tool, or nobody where a shard has one node): route to
 * the node that takes writes, hold while there is none, write nothing anywhere.
 */
export function followRoles(draft: Draft): void {
  const { state, now } = draft;
  assert(state.task === null, 'following needs no tasks');
  draft.refuseOperator(
    'pgweave does not fail this shard over',
    'it needs failover.enabled, promotion: pgweave and a second node',
  );
  const writable = state.nodes.filter(
    (node) =>
      isResponsive(node, now, state.settings.suspectAfterMs) &&
      node.answer?.inRecovery === false &&
      (state.record === null || node.answer.systemId === state.record.systemId),
  );
  const [newest, next] = writable.sort((a, b) => -compareAge(a, b));
  if (newest === undefined) {
    hold(draft, 'no node takes writes');
  } else if (next !== undefined && compareAge(newest, next) === 0) {
    hold(draft, `${newest.id} and ${next.id} both take writes, and neither is newer`);
  } else {
    follow(draft, newest.id);
    tellAlarms(draft);
  }
}

function follow(draft: Draft, primary: NodeId): void {
  const { record, phase, epochMax, shard } = draft.state;
  if (record?.primary !== primary) {
    const answer = nodeView(draft.state, primary)?.answer;
    const next: ShardRecord = {
      shard,
      epoch: Math.max(epochMax + 1, answer?.epoch?.epoch ?? 0),
      uuid: answer?.epoch?.uuid ?? 'none',
      systemId: answer?.systemId ?? '',
      timeline: answer?.timeline ?? 0,
      primary,
      durability: { kind: 'solo' },
      phase: { kind: 'open' },
      paused: false,
      switchLsn: null,
    };
    draft.log('info', 'found the primary', { primary, epoch: next.epoch });
    draft.change({ record: next, epochMax: next.epoch });
  }
  if (phase.kind !== 'open') draft.enter({ kind: 'open' });
}

function hold(draft: Draft, reason: string): void {
  const { phase, record } = draft.state;
  if (phase.kind !== 'seeking' || phase.reason !== reason) {
    draft.log('warn', 'no primary', { reason });
    draft.enter({ kind: 'seeking', reason });
  }
  const primary = record === null ? null : nodeView(draft.state, record.primary);
  if (primary === null || draft.now - primary.probedAt < failoverLimits.probeSpacingMs) return;
  draft.probe(primary, 0);
}

/** By epoch row, then by timeline. */
function compareAge(a: NodeView, b: NodeView): number {
  const epochs = (a.answer?.epoch?.epoch ?? 0) - (b.answer?.epoch?.epoch ?? 0);
  return epochs !== 0 ? epochs : (a.answer?.timeline ?? 0) - (b.answer?.timeline ?? 0);
}
