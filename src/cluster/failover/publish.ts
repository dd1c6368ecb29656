import { unreachable } from '../../base/assert.ts';
import type { NodeId } from '../../config/config.ts';
import { automaticCandidates } from './candidate.ts';
import type { Draft } from './draft.ts';
import { type FailoverState, nodeView } from './failover-state.ts';
import { isOfEpoch, isResponsive } from './node-view.ts';
import type { ShardRecord } from './shard-record.ts';
import type { ServingIdentity, ShardState } from './shard-state.ts';

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
  const identity = record === null ? null : identityOf(state, record);
  if (phase.kind === 'open' && record !== null) {
    return {
      shard,
      epoch: record.epoch,
      primary: record.primary,
      heir: heirOf(state, now),
      standbys,
      identity,
      reason: '',
    };
  }
  const reason = holdReason(state);
  return { shard, epoch, primary: null, heir: heirOf(state, now), standbys, identity, reason };
}

function heirOf(state: FailoverState, now: number): NodeId | null {
  const { phase, task } = state;
  switch (phase.kind) {
    case 'suspect':
      return likelyHeir(state, now);
    case 'open':
      return task?.work.kind === 'prepare' ? task.work.candidate : null;
    case 'claiming':
      return phase.step.kind === 'revoking' ? null : phase.step.intent.candidate;
    case 'draining':
    case 'promoting':
      return phase.intent.candidate;
    case 'opening':
      return phase.record.primary;
    default:
      return null;
  }
}

/** Where somebody else promotes, only what no promotion changes. */
function identityOf(state: FailoverState, record: ShardRecord): ServingIdentity {
  const { mode, settings } = state;
  const answer = nodeView(state, record.primary)?.answer;
  const isOurs = mode === 'failover';
  const kept = answer?.synchronousCommit === 'remote_apply' ? 'remote_apply' : 'on';
  return {
    systemId: record.systemId,
    timeline: isOurs ? record.timeline : null,
    uuid: isOurs ? record.uuid : null,
    synchronousCommit: isOurs && settings.durability !== 'async' ? kept : null,
    startedAt: answer?.startedAt ?? '',
  };
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

/** A suspicion is often wrong, a refused connection seldom. */
function likelyHeir(state: FailoverState, now: number): NodeId | null {
  const { record } = state;
  if (record === null || (nodeView(state, record.primary)?.refusals ?? 0) === 0) return null;
  const choice = automaticCandidates(state, record, now);
  const [only, ...others] = choice.kind === 'candidates' ? choice.nodes : [];
  return others.length === 0 ? (only?.id ?? null) : null;
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
    a.heir === b.heir &&
    a.reason === b.reason &&
    sameIdentity(a.identity, b.identity) &&
    a.standbys.length === b.standbys.length &&
    a.standbys.every((id, index) => id === b.standbys[index])
  );
}

/** Within one epoch and primary nothing else changes. */
function sameIdentity(a: ServingIdentity | null, b: ServingIdentity | null): boolean {
  return a?.startedAt === b?.startedAt && a?.synchronousCommit === b?.synchronousCommit;
}
