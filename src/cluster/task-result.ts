import { unreachable } from '../base/assert.ts';
import type { Draft } from './draft.ts';
import { recordArmed } from './durability.ts';
import type { FailoverTask } from './failover-action.ts';
import type { TaskResult } from './failover-event.ts';
import { failoverLimits } from './failover-limits.ts';
import { epochsOf, type Phase, phaseOfRecord } from './failover-state.ts';
import { observe } from './node-view.ts';
import type { StoredRecord } from './record-store.ts';
import type { ShardRecord } from './shard-record.ts';

/** Goes on where a task has ended. A task that was given up in the meantime changes nothing. */
export function takeResult(draft: Draft, id: number, result: TaskResult): void {
  const { task } = draft.state;
  if (task === null || task.id !== id) return;
  draft.change({ task: null });
  const { work } = task;
  switch (result.kind) {
    case 'saved':
      if (work.kind === 'save') saved(draft, work.record, result.revision);
      return;
    case 'outdated':
      outdated(draft, result.stored);
      return;
    case 'installed':
      if (work.kind === 'install') installed(draft, work.intent.candidate, result);
      return;
    case 'drained':
      drained(draft);
      return;
    case 'armed':
      if (work.kind === 'arm') recordArmed(draft, work.applicationName, result.startedAt);
      return;
    case 'disarmed':
      // The next probe answers may still show the setting as it was.
      draft.change({ durabilityRetryAt: draft.now + failoverLimits.retryMs });
      return;
    case 'failed':
      failed(draft, work, result.reason);
      return;
    default:
      unreachable(result);
  }
}

function saved(draft: Draft, record: ShardRecord, revision: number): void {
  draft.change({ record, revision, doubtful: false });
  const { phase } = draft.state;
  if (phase.kind === 'opening') {
    open(draft, phase, record);
    return;
  }
  if (phase.kind !== 'claiming') return;
  draft.change({ times: { ...draft.state.times, claimedAt: draft.now } });
  const { cause, intent } = phase;
  if (record.phase.kind === 'claimed') {
    draft.enter({ kind: 'draining', cause, intent });
    draft.start({ kind: 'drain', primary: record.primary, candidate: intent.candidate });
    return;
  }
  draft.enter({ kind: 'promoting', cause, intent, since: draft.now });
}

function open(
  draft: Draft,
  phase: Phase & { readonly kind: 'opening' },
  record: ShardRecord,
): void {
  const { cause } = phase;
  const replaced = cause === 'failure' || cause === 'operator';
  draft.change({
    armedStart: null,
    restarted: false,
    member: { missingSince: null, flushLsn: 0n, frozenSince: draft.now },
    failovers: draft.state.failovers + (replaced ? 1 : 0),
    lastFailoverAt: cause === 'failure' ? draft.now : draft.state.lastFailoverAt,
  });
  draft.enter({ kind: 'open' });
  draft.answerOperator(null);
  if (cause === 'found') {
    draft.log('info', 'found the primary', { primary: record.primary, epoch: record.epoch });
    return;
  }
  draft.actions.push({
    kind: 'journal',
    entry: {
      shard: record.shard,
      cause,
      from: phase.from,
      to: record.primary,
      epoch: record.epoch,
      ...draft.state.times,
      openedAt: draft.now,
    },
  });
}

function installed(
  draft: Draft,
  candidate: ShardRecord['primary'],
  result: TaskResult & { readonly kind: 'installed' },
): void {
  const { phase, record } = draft.state;
  if (phase.kind !== 'promoting' || record === null) return;
  const { answer, askedAt } = result;
  const event = { kind: 'answer', at: draft.now, node: candidate, answer, askedAt } as const;
  draft.change({
    times: { ...draft.state.times, promotedAt: draft.now },
    nodes: draft.state.nodes.map((node) => (node.id === candidate ? observe(node, event) : node)),
  });
  const next: ShardRecord = {
    ...record,
    epoch: phase.intent.epoch,
    uuid: phase.intent.uuid,
    systemId: answer.systemId,
    timeline: answer.timeline,
    primary: candidate,
    phase: { kind: 'open' },
  };
  draft.enter({ kind: 'opening', cause: phase.cause, from: record.primary, record: next });
}

function drained(draft: Draft): void {
  const { phase, record } = draft.state;
  if (phase.kind !== 'draining' || record === null) return;
  const { cause, intent } = phase;
  draft.enter({ kind: 'claiming', cause, intent });
  draft.change({ times: { ...draft.state.times, confirmedAt: draft.now } });
  draft.start({
    kind: 'save',
    record: { ...record, durability: { kind: 'solo' }, phase: { kind: 'promoting', intent } },
    expected: draft.state.revision,
  });
}

function failed(draft: Draft, work: FailoverTask, reason: string): void {
  const retryAt = draft.now + failoverLimits.retryMs;
  draft.change({ durabilityRetryAt: retryAt });
  if (work.kind !== 'arm' && work.kind !== 'disarm') draft.change({ retryAt });
  if (work.kind === 'save') draft.change({ doubtful: true });
  draft.log('warn', `could not ${verbs[work.kind]}`, { reason });
  const { phase } = draft.state;
  if (phase.kind !== 'claiming' && phase.kind !== 'draining') return;
  draft.answerOperator({ reason: `could not ${verbs[work.kind]}: ${reason}`, hint: undefined });
  draft.enter(phaseOfRecord(draft.state.record, draft.now));
}

const verbs: { readonly [Kind in FailoverTask['kind']]: string } = {
  save: 'write the cluster record',
  install: 'make the candidate primary',
  drain: 'drain the primary',
  arm: 'arm the standby',
  disarm: 'stop commits from waiting',
};

/** What is stored is the truth, whoever wrote it: start again from there. */
function outdated(draft: Draft, stored: StoredRecord | null): void {
  const record = stored?.record ?? null;
  draft.log('error', 'the cluster record was changed by somebody else', {});
  draft.answerOperator({ reason: 'the cluster record was changed meanwhile', hint: undefined });
  draft.change({
    record,
    revision: stored?.revision ?? 0,
    doubtful: false,
    epochMax: Math.max(draft.state.epochMax, record === null ? 0 : epochsOf(record)),
    armedStart: null,
  });
  draft.enter(phaseOfRecord(record, draft.now));
}
