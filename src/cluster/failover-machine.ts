import { unreachable } from '../base/assert.ts';
import { automaticCandidate, successor } from './candidate.ts';
import { claim } from './claim.ts';
import { Draft } from './draft.ts';
import { keepDurability } from './durability.ts';
import type { FailoverAction } from './failover-action.ts';
import type { FailoverEvent } from './failover-event.ts';
import { failoverLimits } from './failover-limits.ts';
import { type FailoverState, nodeView } from './failover-state.ts';
import { fenceStrays } from './fence.ts';
import { followRoles } from './follow.ts';
import { isResponsive, type NodeView, observe } from './node-view.ts';
import { forceFailover, switchOver } from './operator-request.ts';
import { publish } from './publish.ts';
import { seek } from './seek.ts';
import type { ShardRecord } from './shard-record.ts';
import { takeResult } from './task-result.ts';
import { judgePrimary, type Verdict } from './verdict.ts';

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
  if (event.kind === 'failover-requested') {
    draft.change({ request: { allowDataLoss: event.allowDataLoss, accepted: false } });
  }
  if (event.kind === 'connect' && event.outcome === 'refused') probeSoon(draft, event.node);
  advance(draft);
  publish(draft);
  return { state: draft.state, actions: draft.actions };
}

/** Acts on what is known until nothing more follows from it; two phases may change in one step. */
function advance(draft: Draft): void {
  if (draft.state.mode === 'follow') {
    followRoles(draft);
    return;
  }
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
      goOn(draft, record);
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
function goOn(draft: Draft, record: ShardRecord): void {
  const { phase } = draft.state;
  if (record.phase.kind !== 'open') {
    // A switchover was given up half-way: the primary has a fence that only a new epoch lifts.
    if (mayStart(draft)) claim(draft, { record, candidate: record.primary, cause: 'reopened' });
    return;
  }
  if (phase.kind !== 'open') {
    draft.enter({ kind: 'open' });
    draft.log('info', 'open', { primary: record.primary, epoch: record.epoch });
  }
  fenceStrays(draft, record);
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

function suspect(draft: Draft, primary: NodeView, reason: string): void {
  if (draft.state.phase.kind === 'open') {
    draft.enter({ kind: 'suspect', since: draft.now });
    draft.change({ times: { ...draft.state.times, suspectedAt: draft.now } });
    draft.log('debug', 'holding statements: the primary is suspect', { node: primary.id, reason });
    probe(draft, primary, 0);
    return;
  }
  if (draft.now - primary.probedAt >= failoverLimits.probeSpacingMs) probe(draft, primary, 0);
}

function replace(
  draft: Draft,
  record: ShardRecord,
  primary: NodeView,
  verdict: Verdict & { readonly kind: 'dead' | 'misfit' },
): void {
  suspect(draft, primary, verdict.reason);
  const { task } = draft.state;
  if (task !== null && task.work.kind !== 'arm') return;
  if (draft.now < draft.state.retryAt) {
    block(draft, `${record.primary} is lost (${verdict.reason}); the last attempt failed`);
    return;
  }
  if (draft.state.phase.kind === 'suspect') {
    draft.change({ times: { ...draft.state.times, confirmedAt: draft.now } });
    draft.log('warn', 'the primary is lost', { node: primary.id, reason: verdict.reason });
  }
  if (verdict.kind === 'dead') {
    replaceDead(draft, record, verdict.reason);
    return;
  }
  const heir = successor(draft.state, record, draft.now);
  if (heir === null) block(draft, verdict.reason);
  else claim(draft, { record, candidate: heir.id, cause: 'found' });
}

function replaceDead(draft: Draft, record: ShardRecord, reason: string): void {
  const choice = automaticCandidate(draft.state, record, draft.now);
  if (choice.kind === 'candidate') {
    claim(draft, { record, candidate: choice.node.id, cause: 'failure' });
    return;
  }
  block(draft, `${record.primary} is lost (${reason}); ${choice.reason}`);
  forceFailover(draft, record, choice.reason);
}

function block(draft: Draft, reason: string): void {
  const { phase } = draft.state;
  if (phase.kind === 'blocked' && phase.reason === reason) return;
  if (phase.kind !== 'blocked') draft.log('error', 'blocked: no primary', { reason });
  if (phase.kind === 'open') draft.enter({ kind: 'suspect', since: draft.now });
  draft.enter({ kind: 'blocked', reason });
}

/**
 * The candidate owns its epoch, so it is tried until it succeeds. Only when it is gone, and the last
 * open primary, which has every acknowledged commit, is back, that one takes the next epoch instead.
 */
function keepPromoting(draft: Draft): void {
  const { phase, record, settings } = draft.state;
  if (phase.kind !== 'promoting' || record === null || !mayStart(draft)) return;
  if (draft.state.request?.accepted === false) {
    draft.answerOperator({
      reason: `${phase.intent.candidate} is being promoted already`,
      hint: undefined,
    });
  }
  const { candidate } = phase.intent;
  const gaveUp = draft.now - phase.since > settings.promoteTimeoutMs;
  const primary = nodeView(draft.state, record.primary);
  const view = nodeView(draft.state, candidate);
  const absent = view === null || !isResponsive(view, draft.now, settings.hangMs);
  if (gaveUp && absent && primary !== null && candidate !== primary.id) {
    if (judgePrimary(draft.state, primary, record, draft.now).kind === 'well') {
      claim(draft, { record, candidate: primary.id, cause: 'reopened' });
      return;
    }
  }
  const emptyNames = phase.cause !== 'found';
  draft.start({ kind: 'install', intent: phase.intent, emptyNames });
}

function probeSoon(draft: Draft, id: FailoverState['nodes'][number]['id']): void {
  const node = nodeView(draft.state, id);
  if (node?.refusals === 1) probe(draft, node, failoverLimits.refusedSpacingMs);
}

function probe(draft: Draft, node: NodeView, afterMs: number): void {
  draft.actions.push({ kind: 'probe', node: node.id, afterMs });
  draft.change({
    nodes: draft.state.nodes.map((view) =>
      view.id === node.id ? { ...view, probedAt: draft.now } : view,
    ),
  });
}

function mayStart(draft: Draft): boolean {
  return draft.state.task === null && draft.now >= draft.state.retryAt;
}
