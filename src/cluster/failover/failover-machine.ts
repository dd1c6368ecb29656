import { unreachable } from '../../base/assert.ts';
import type { NodeId } from '../../config/config.ts';
import { watchAlarms } from './alarms.ts';
import { automaticCandidates, safeCandidates, successor } from './candidate.ts';
import { claim, claimForOneOf } from './claim.ts';
import { Draft, isForgettable } from './draft.ts';
import { keepDurability, namesOfAll } from './durability.ts';
import type { FailoverAction } from './failover-action.ts';
import type { FailoverEvent } from './failover-event.ts';
import { failoverLimits } from './failover-limits.ts';
import { type FailoverState, nodeView, type Phase } from './failover-state.ts';
import { fenceStrays } from './fence.ts';
import { followRoles } from './follow.ts';
import type { HookCall } from './hook-call.ts';
import { hookCall } from './hook-of.ts';
import { isResponsive, type NodeView, observe } from './node-view.ts';
import { forceFailover, serveOperator, switchOver } from './operator-request.ts';
import { publish } from './publish.ts';
import { repair } from './repair.ts';
import { keepRevoking } from './revocation.ts';
import { seek } from './seek.ts';
import type { ShardRecord } from './shard-record.ts';
import { postponed } from './standby-watch.ts';
import { takeResult } from './task-result.ts';
import { judgePrimary, type Verdict } from './verdict.ts';
import { verifyFailover } from './verify-failover.ts';

export type Step = {
  readonly state: FailoverState;
  readonly actions: readonly FailoverAction[];
};

/**
 * The whole life of one shard's active/standby set as a function: no clock, no chance, no I/O. Time
 * comes in events, and what has to be done goes out as actions.
 *
 * Invariants: epochs only grow; one node owns an epoch from its durable claim on; without an
 * operator's word nobody is promoted who may lack an acknowledged commit.
 */
export function step(state: FailoverState, event: FailoverEvent, mintUuid: () => string): Step {
  const nodes = state.nodes.map((node) =>
    'node' in event && event.node !== node.id ? node : observe(node, event),
  );
  const draft = new Draft({ ...state, nodes }, event.at, mintUuid);
  if (event.kind === 'task') takeResult(draft, event.task, event.result);
  takeNote(draft, event);
  advance(draft);
  publish(draft);
  return { state: draft.state, actions: draft.actions };
}

/** What an event says about the whole shard rather than about one node. */
function takeNote(draft: Draft, event: FailoverEvent): void {
  const { record, watches, heartbeat, verification } = draft.state;
  const isPrimary = 'node' in event && event.node === record?.primary;
  switch (event.kind) {
    case 'operator':
      draft.change({ request: { command: event.command, accepted: false, prepared: null } });
      return;
    case 'connect':
      if (event.outcome === 'refused') probeSoon(draft, event.node);
      return;
    case 'stalled':
      draft.change({ watches: postponed(watches, event.byMs) });
      return;
    case 'heartbeat':
      if (!isPrimary || draft.state.phase.kind !== 'open') return;
      if (heartbeat.lateSince !== null) draft.log('info', 'writes are acknowledged again');
      draft.change({ heartbeat: { acknowledgedLsn: event.acknowledgedLsn, lateSince: null } });
      meetRival(draft, event.isRivalled);
      if (verification !== null && verification.firstCommitAt === null) {
        draft.change({ verification: { ...verification, firstCommitAt: event.at } });
      }
      return;
    case 'heartbeat-late':
      if (!isPrimary || draft.state.phase.kind !== 'open' || heartbeat.lateSince !== null) return;
      draft.log('error', 'the primary answers, but acknowledges no write', { node: event.node });
      draft.notify('writes-stuck', `${event.node} answers, but acknowledges no write`);
      draft.change({ heartbeat: { ...heartbeat, lateSince: event.sentAt } });
      return;
    case 'rejoined':
      if (event.outcome.kind === 'done') draft.log('info', 'rejoined', { node: event.node });
      else draft.log('error', 'the rejoin hook failed', { node: event.node, ...event.outcome });
      return;
    default:
      return;
  }
}

/**
 * Two supervisors would promote two standbys. Who has met another one leaves it to the operator, also
 * when the primary dies and neither writes any more.
 */
function meetRival(draft: Draft, isRivalled: boolean): void {
  const { rivalBeats } = draft.state;
  if (isRivalled) draft.change({ rivalBeats: 0 });
  else if (rivalBeats !== null) {
    const beats = rivalBeats + 1;
    draft.change({ rivalBeats: beats < failoverLimits.rivalBeatsMax ? beats : null });
  }
}

/** Acts on what is known until nothing more follows from it; two phases may change in one step. */
function advance(draft: Draft): void {
  if (draft.state.mode === 'follow') {
    followRoles(draft);
    return;
  }
  serveOperator(draft);
  for (let turn = 0; turn < 3; turn += 1) {
    const { phase } = draft.state;
    advanceOnce(draft);
    if (draft.state.phase === phase) return;
  }
}

function advanceOnce(draft: Draft): void {
  const { phase, record } = draft.state;
  switch (phase.kind) {
    case 'seeking':
      seekPrimary(draft);
      return;
    case 'open':
    case 'suspect':
    case 'blocked':
      if (record !== null) watchPrimary(draft, record);
      return;
    case 'claiming':
    case 'draining':
      return;
    case 'revoking':
      if (mayStart(draft)) keepRevoking(draft);
      return;
    case 'promoting':
      keepPromoting(draft);
      return;
    case 'opening':
      if (!mayStart(draft)) return;
      draft.start({ kind: 'save', record: phase.record, expected: draft.state.revision });
      return;
    default:
      unreachable(phase);
  }
}

function seekPrimary(draft: Draft): void {
  if (mayStart(draft)) seek(draft);
}

function watchPrimary(draft: Draft, record: ShardRecord): void {
  const primary = nodeView(draft.state, record.primary);
  if (primary === null) {
    block(draft, `the primary ${record.primary} is no longer configured`);
    return;
  }
  const verdict = judgePrimary(draft.state, primary, record, draft.now);
  switch (verdict.kind) {
    case 'well':
      goOn(draft, record, primary);
      return;
    case 'late':
      suspect(draft, primary, verdict.reason);
      return;
    case 'dead':
    case 'misfit':
      replace(draft, record, primary, verdict);
      return;
    default:
      unreachable(verdict);
  }
}

/** The primary is alive and the right one. */
function goOn(draft: Draft, record: ShardRecord, primary: NodeView): void {
  const { phase } = draft.state;
  if (record.phase.kind !== 'open') {
    // A switchover was given up half-way: the primary has a fence that only a new epoch lifts.
    if (mayStart(draft)) reopen(draft, record);
    return;
  }
  if (phase.kind !== 'open') {
    draft.enter({ kind: 'open' });
    draft.log('info', 'open', { primary: record.primary, epoch: record.epoch });
  }
  watchAlarms(draft, primary);
  verifyFailover(draft, record);
  fenceStrays(draft, record);
  repair(draft, record);
  if (draft.state.doubtful) {
    // What is stored may promise more than we believe: nothing is weakened before that is settled.
    if (mayStart(draft)) {
      draft.start({ kind: 'save', record, expected: draft.state.revision });
    }
    return;
  }
  switchOver(draft, record);
  if (draft.state.phase.kind === 'open') keepDurability(draft, record);
}

/** Nobody took its place after all; the epoch of the attempt is spent. */
function reopen(draft: Draft, record: ShardRecord): void {
  const how = { kind: 'promote', candidate: record.primary } as const;
  claim(draft, { record, cause: 'reopened', how });
}

function suspect(draft: Draft, primary: NodeView, reason: string): void {
  if (draft.state.phase.kind === 'open') {
    draft.enter({ kind: 'suspect', since: draft.now });
    draft.change({ times: { ...draft.state.times, suspectedAt: draft.now } });
    draft.log('debug', 'holding statements: the primary is suspect', { node: primary.id, reason });
    draft.probe(primary, 0);
    const others = draft.state.nodes.map(({ id }) => id).filter((id) => id !== primary.id);
    draft.actions.push({ kind: 'open-sessions', nodes: others });
    return;
  }
  if (draft.now - primary.probedAt >= failoverLimits.probeSpacingMs) draft.probe(primary, 0);
}

function replace(
  draft: Draft,
  record: ShardRecord,
  primary: NodeView,
  verdict: Verdict & { readonly kind: 'dead' | 'misfit' },
): void {
  suspect(draft, primary, verdict.reason);
  const { task } = draft.state;
  if (task !== null && !isForgettable(task.work)) return;
  if (draft.now < draft.state.retryAt) {
    block(draft, `${record.primary} is lost (${verdict.reason}); the last attempt failed`);
    return;
  }
  if (draft.state.phase.kind === 'suspect') {
    const times = { ...draft.state.times, confirmedAt: draft.now };
    draft.change({ times, lossReason: verdict.reason });
    draft.log('warn', 'the primary is lost', { node: primary.id, reason: verdict.reason });
  }
  if (verdict.kind === 'dead') {
    replaceDead(draft, record, verdict.reason);
    return;
  }
  const heir = successor(draft.state, record, draft.now);
  if (heir === null) block(draft, verdict.reason);
  else claim(draft, { record, cause: 'found', how: { kind: 'promote', candidate: heir.id } });
}

function replaceDead(draft: Draft, record: ShardRecord, reason: string): void {
  const choice = automaticCandidates(draft.state, record, draft.now);
  if (choice.kind === 'candidates') {
    claimForOneOf(draft, record, 'failure', choice.nodes);
    return;
  }
  block(draft, `${record.primary} is lost (${reason}); ${choice.reason}`);
  forceFailover(draft, record, choice.reason);
}

function block(draft: Draft, reason: string): void {
  const { phase } = draft.state;
  if (phase.kind === 'blocked' && phase.reason === reason) return;
  draft.log('error', 'blocked: nobody is promoted', { reason });
  draft.notify('blocked', reason);
  if (phase.kind === 'open') draft.enter({ kind: 'suspect', since: draft.now });
  draft.enter({ kind: 'blocked', reason });
}

/**
 * The candidate owns its epoch, so it is tried until it succeeds. Only when it is gone, another takes
 * the next epoch instead: the last open primary, which has every acknowledged commit, if it is back,
 * or a standby of the armed set that is enough without the candidate. Nothing was acknowledged in an
 * epoch that never opened.
 */
function keepPromoting(draft: Draft): void {
  const { phase, record, settings } = draft.state;
  if (phase.kind !== 'promoting' || record === null || !mayStart(draft)) return;
  if (draft.state.request?.accepted === false) {
    draft.refuseOperator(`${phase.intent.candidate} is being promoted already`);
  }
  const { candidate } = phase.intent;
  const gaveUp = draft.now - phase.since > settings.promoteTimeoutMs;
  const primary = nodeView(draft.state, record.primary);
  const view = nodeView(draft.state, candidate);
  const absent = view === null || !isResponsive(view, draft.now, settings.hangMs);
  if (gaveUp && absent && primary !== null) {
    const verdict = judgePrimary(draft.state, primary, record, draft.now);
    if (verdict.kind === 'well' && candidate !== primary.id) {
      reopen(draft, record);
      return;
    }
    const others = safeCandidates(draft.state, record, draft.now);
    if (verdict.kind === 'dead' && others.kind === 'candidates' && !record.paused) {
      const cause = phase.cause === 'operator' ? 'operator' : 'failure';
      claimForOneOf(draft, record, cause, others.nodes);
      return;
    }
  }
  const { cause, intent } = phase;
  const names = cause === 'found' ? null : firstNames(draft, candidate);
  draft.start({ kind: 'install', intent, names, fence: demandedFence(draft, phase, record) });
}

/** A new primary has no standby yet; whether it may commit without is the operator's choice. */
function firstNames(draft: Draft, candidate: NodeId): string {
  return draft.state.settings.durability === 'strict' ? namesOfAll(draft, candidate) : '';
}

function demandedFence(
  draft: Draft,
  { cause, intent }: Phase & { readonly kind: 'promoting' },
  record: ShardRecord,
): HookCall | null {
  if (draft.state.settings.fence !== 'required' || cause !== 'failure') return null;
  const message = `${record.primary} is lost and ${intent.candidate} is to take its place`;
  const about = { hook: 'fence', event: 'fence', node: record.primary, message } as const;
  return hookCall(record, about);
}

/** Timers may be early: a refusal a moment before it could prove something is followed by another one. */
function probeSoon(draft: Draft, id: NodeId): void {
  const node = nodeView(draft.state, id);
  if (node === null) return;
  const missingMs = failoverLimits.refusedSpacingMs - (node.lastRefusedAt - node.firstRefusedAt);
  if (missingMs > 0) draft.probe(node, Math.ceil(missingMs));
}

function mayStart(draft: Draft): boolean {
  return draft.state.task === null && draft.now >= draft.state.retryAt;
}
