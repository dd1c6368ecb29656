import { unreachable } from '../../base/assert.ts';
import type { NodeId } from '../../config/config.ts';
import { promotionObstacle } from './candidate.ts';
import { type Draft, isForgettable } from './draft.ts';
import { recordArmed } from './durability.ts';
import type { FailoverTask } from './failover-action.ts';
import type { TaskResult } from './failover-event.ts';
import { failoverLimits } from './failover-limits.ts';
import {
  epochsOf,
  nodeView,
  type Phase,
  phaseOfRecord,
  type Succession,
} from './failover-state.ts';
import { findings } from './findings.ts';
import { hookCall } from './hook-of.ts';
import { observe } from './node-view.ts';
import type { StoredRecord } from './record-store.ts';
import { chooseFrozen } from './revocation.ts';
import type { Durability, ShardRecord } from './shard-record.ts';

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
    case 'revoked':
      if (work.kind === 'revoke') chooseFrozen(draft, result.frozen);
      return;
    case 'installed':
      if (work.kind === 'install') installed(draft, work.intent.candidate, result);
      return;
    case 'prepared':
      if (work.kind === 'prepare') prepared(draft, work.candidate);
      return;
    case 'drained':
      drained(draft);
      return;
    case 'armed':
      if (work.kind !== 'arm') return;
      recordArmed(draft, work.members, { quorum: work.set.count, startedAt: result.startedAt });
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
  const { phase, request } = draft.state;
  if (phase.kind === 'opening') {
    open(draft, phase, record);
    return;
  }
  if (phase.kind === 'claiming') {
    draft.change({ times: { ...draft.state.times, claimedAt: draft.now } });
    claimed(draft, phase, record);
    return;
  }
  const { kind } = request?.command ?? {};
  if (request?.accepted === true && (kind === 'pause' || kind === 'resume')) {
    const message = record.paused
      ? `nobody is promoted on shard "${record.shard}" without your word`
      : `automatic failover of shard "${record.shard}" is on again`;
    draft.answerOperator({ kind: 'done', message });
    draft.notify(kind === 'pause' ? 'paused' : 'resumed', message);
  }
}

function claimed(
  draft: Draft,
  { cause, step }: Phase & { readonly kind: 'claiming' },
  record: ShardRecord,
): void {
  switch (step.kind) {
    case 'claimed': {
      const { intent } = step;
      draft.enter({ kind: 'draining', cause, intent });
      const { candidate } = intent;
      const others = otherStandbys(draft, record, candidate);
      draft.start({ kind: 'drain', primary: record.primary, candidate, others });
      return;
    }
    case 'revoking':
      draft.enter({ kind: 'revoking', cause, intent: step.intent });
      return;
    case 'promoting':
      draft.enter({ kind: 'promoting', cause, intent: step.intent, since: draft.now });
      if (draft.state.settings.fence === 'best_effort' && cause === 'failure') {
        const message = `${record.primary} is lost and ${step.intent.candidate} takes its place`;
        const about = { hook: 'fence', event: 'fence', node: record.primary, message } as const;
        draft.actions.push({ kind: 'hook', call: hookCall(record, about) });
      }
      return;
    default:
      unreachable(step);
  }
}

function otherStandbys(draft: Draft, record: ShardRecord, candidate: NodeId): readonly NodeId[] {
  return draft.state.nodes
    .filter(
      (node) =>
        node.id !== candidate &&
        node.id !== record.primary &&
        promotionObstacle(node, record, draft.now) === null,
    )
    .map(({ id }) => id);
}

function open(
  draft: Draft,
  phase: Phase & { readonly kind: 'opening' },
  record: ShardRecord,
): void {
  const { cause } = phase;
  const replaced = cause === 'failure' || cause === 'operator';
  const wrong = findings(draft.state, phase.from);
  draft.change({
    armedStart: null,
    restarted: false,
    watches: [],
    heartbeat: { acknowledgedLsn: null, lateSince: null },
    failovers: draft.state.failovers + (replaced ? 1 : 0),
    findingsCount: draft.state.findingsCount + wrong.length,
    lastFailoverAt: cause === 'failure' ? draft.now : draft.state.lastFailoverAt,
  });
  draft.enter({ kind: 'open' });
  const { shard, primary, epoch } = record;
  const message = `the primary of shard "${shard}" is now ${primary}`;
  draft.answerOperator({ kind: 'done', message });
  if (cause === 'found') {
    draft.log('info', 'found the primary', { primary, epoch });
    return;
  }
  const { times, lossReason } = draft.state;
  const { suspectedAt } = times;
  const verification = { epoch, suspectedAt, openedAt: draft.now, firstCommitAt: null };
  draft.change({ verification });
  const reason = cause === 'failure' ? lossReason : '';
  draft.actions.push({
    kind: 'journal',
    entry: {
      shard,
      cause,
      from: phase.from,
      to: primary,
      epoch,
      ...times,
      openedAt: draft.now,
      reason,
      findings: wrong,
    },
  });
  draft.notify(replaced ? 'failover' : 'reopened', [message, reason, ...wrong].join('; '));
}

function installed(
  draft: Draft,
  candidate: ShardRecord['primary'],
  result: TaskResult & { readonly kind: 'installed' },
): void {
  const { phase, record } = draft.state;
  if (phase.kind !== 'promoting' || record === null) return;
  const { answer, askedAt, switchLsn, xids } = result;
  const event = { kind: 'answer', at: draft.now, node: candidate, answer, askedAt } as const;
  draft.change({
    times: { ...draft.state.times, promotedAt: draft.now },
    succession:
      xids === null
        ? sameSuccession(draft, phase.intent.epoch)
        : { after: record.epoch, epoch: phase.intent.epoch, startedAt: lastStart(draft), xids },
    nodes: draft.state.nodes.map((node) => (node.id === candidate ? observe(node, event) : node)),
  });
  const next: ShardRecord = {
    ...record,
    epoch: phase.intent.epoch,
    uuid: phase.intent.uuid,
    systemId: answer.systemId,
    timeline: answer.timeline,
    primary: candidate,
    durability: alone(draft),
    phase: { kind: 'open' },
    switchLsn: switchLsn ?? record.switchLsn,
  };
  draft.enter({ kind: 'opening', cause: phase.cause, from: record.primary, record: next });
}

/** It was promoted before, perhaps in the eyes of the machine that this one followed. */
function sameSuccession(draft: Draft, epoch: number): Succession | null {
  const { succession } = draft.state;
  return succession?.epoch === epoch ? succession : null;
}

/** Of the last open primary, as far as it has told. */
function lastStart(draft: Draft): string {
  const { record } = draft.state;
  const primary = record === null ? null : nodeView(draft.state, record.primary);
  return primary?.answer?.startedAt ?? '';
}

/** No standby has confirmed anything of a new epoch yet. */
function alone(draft: Draft): Durability {
  return { kind: draft.state.settings.durability === 'async' ? 'async' : 'solo' };
}

function prepared(draft: Draft, candidate: NodeId): void {
  const { request } = draft.state;
  if (request !== null) draft.change({ request: { ...request, prepared: candidate } });
}

function drained(draft: Draft): void {
  const { phase, record } = draft.state;
  if (phase.kind !== 'draining' || record === null) return;
  const { cause, intent } = phase;
  draft.enter({ kind: 'claiming', cause, step: { kind: 'promoting', intent } });
  draft.change({ times: { ...draft.state.times, confirmedAt: draft.now } });
  draft.start({
    kind: 'save',
    record: { ...record, phase: { kind: 'promoting', intent } },
    expected: draft.state.revision,
  });
}

function failed(draft: Draft, work: FailoverTask, reason: string): void {
  const retryAt = draft.now + failoverLimits.retryMs;
  draft.change({ durabilityRetryAt: retryAt });
  if (!isForgettable(work) && work.kind !== 'disarm') draft.change({ retryAt });
  if (work.kind === 'save') draft.change({ doubtful: true });
  draft.log('warn', `could not ${verbs[work.kind]}`, { reason });
  const { phase, request } = draft.state;
  if (work.kind === 'save' && request?.accepted === true) {
    draft.refuseOperator(`could not ${verbs.save}: ${reason}`);
  }
  if (phase.kind !== 'claiming' && phase.kind !== 'draining' && phase.kind !== 'revoking') return;
  draft.refuseOperator(
    `could not ${verbs[work.kind]}: ${reason}`,
    'it may have taken effect all the same: see SHOW SHARDS',
  );
  draft.enter(phaseOfRecord(draft.state.record, draft.now));
}

const verbs: { readonly [Kind in FailoverTask['kind']]: string } = {
  save: 'write the cluster record',
  prepare: 'prepare the switchover',
  revoke: 'stop what the standbys receive',
  install: 'make the candidate primary',
  drain: 'drain the primary',
  arm: 'arm the standby',
  disarm: 'change what commits wait for',
};

/** What is stored is the truth, whoever wrote it: start again from there. */
function outdated(draft: Draft, stored: StoredRecord | null): void {
  const record = stored?.record ?? null;
  draft.log('error', 'the cluster record was changed by somebody else', {});
  draft.refuseOperator('the cluster record was changed meanwhile');
  draft.change({
    record,
    revision: stored?.revision ?? 0,
    doubtful: false,
    epochMax: Math.max(draft.state.epochMax, record === null ? 0 : epochsOf(record)),
    armedStart: null,
  });
  draft.enter(phaseOfRecord(record, draft.now));
}
