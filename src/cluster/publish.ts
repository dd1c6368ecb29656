import { unreachable } from '../base/assert.ts';
import type { NodeId } from '../config/config.ts';
import type { Draft } from './draft.ts';
import type { FailoverState } from './failover-state.ts';
import { isOfEpoch, isResponsive } from './node-view.ts';
import type { ShardState } from './shard-state.ts';

/** Tells the workers what changed. The epoch they see never falls. */
export function publish(draft: Draft): void {
  const next = shardState(draft.state, draft.now);
  const last = draft.state.published;
  if (last !== null && sameState(last, next)) return;
  draft.change({ published: next, epochMax: Math.max(draft.state.epochMax, next.epoch) });
  draft.actions.push({ kind: 'publish', state: next });
}

function shardState(state: FailoverState, now: number): ShardState {
  const { shard, phase, record } = state;
  const standbys = standbyIds(state, now);
  const epoch = Math.max(state.published?.epoch ?? 0, phaseEpoch(state));
  if (phase.kind === 'open' && record !== null) {
    return { shard, epoch: record.epoch, primary: record.primary, standbys, reason: '' };
  }
  return { shard, epoch, primary: null, standbys, reason: holdReason(state) };
}

/** A promotion cuts the old primary's connections from its claim on; a mere suspicion does not. */
function phaseEpoch({ phase, record }: FailoverState): number {
  if (phase.kind === 'promoting' || phase.kind === 'revoking') return phase.intent.epoch;
  if (phase.kind === 'opening') return phase.record.epoch;
  return record?.epoch ?? 0;
}

/** Why statements wait; empty when they do not. */
export function holdReason({ phase, record }: FailoverState): string {
  switch (phase.kind) {
    case 'open':
      return '';
    case 'seeking':
    case 'blocked':
      return phase.reason;
    case 'suspect':
      return `${record?.primary ?? 'the primary'} does not answer`;
    case 'opening':
      return `opening ${phase.record.primary}`;
    case 'draining':
      return `switching over to ${phase.intent.candidate}`;
    case 'claiming':
      return phase.step.kind === 'revoking'
        ? 'choosing a new primary'
        : `promoting ${phase.step.intent.candidate}`;
    case 'revoking':
      return 'choosing a new primary';
    case 'promoting':
      return `promoting ${phase.intent.candidate}`;
    default:
      return unreachable(phase);
  }
}

function standbyIds(state: FailoverState, now: number): NodeId[] {
  const { record } = state;
  if (record === null) return [];
  return state.nodes
    .filter(
      (node) =>
        node.id !== record.primary &&
        node.answer?.inRecovery === true &&
        node.answer.receiverAgeMs !== null &&
        isResponsive(node, now, state.settings.hangMs) &&
        (state.mode === 'follow' || isOfEpoch(node, record)),
    )
    .map((node) => node.id);
}

function sameState(a: ShardState, b: ShardState): boolean {
  return (
    a.epoch === b.epoch &&
    a.primary === b.primary &&
    a.reason === b.reason &&
    a.standbys.length === b.standbys.length &&
    a.standbys.every((id, index) => id === b.standbys[index])
  );
}
