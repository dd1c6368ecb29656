import { unreachable } from '../base/assert.ts';
import type { PgError } from '../base/pg-error.ts';
import { oneByOne } from '../executor/one-by-one.ts';
import { abortedError, isMistaken, isRowless, noteExecuted } from '../executor/run-statement.ts';
import {
  expectLeftovers,
  isPlain,
  keepsState,
  settleEffects,
  wantsBlock,
} from '../executor/session/session-effects.ts';
import { flightAdvance } from '../executor/session/take-sequence-values.ts';
import type { SessionExecutor } from '../executor/session-executor.ts';
import { endImplicitBlock } from '../executor/transaction/transaction-commands.ts';
import type { Plan } from '../planner/plan.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { BatchFlight, localReplies } from './batch-flight.ts';
import { type BatchGroup, groupSteps, outdatedStatement } from './batch-groups.ts';
import type { BatchStep } from './batch-step.ts';
import { describeFetch, noPortal, runCursorStep } from './cursor-messages.ts';
import { checkToldColumns, describePortal } from './describe-portal.ts';
import { releaseOpenName } from './open-name.ts';
import { closePortal, type Portal } from './prepared-statement.ts';
import { runCommand, runMultiShard } from './run-portal.ts';

/** What a batch needs of its session. */
export type BatchSession = {
  readonly executor: SessionExecutor;
  /** COPY has swallowed the Sync of the batch: the client's next one ends it. */
  readonly awaitsSync: boolean;
  /** No input until the batch, or its part up to a Flush, has been done. */
  beginBatch(end: 'sync' | 'flush'): void;
  flushed(): void;
  /** The answer is complete but for ReadyForQuery. */
  ready(): void;
};

/** `failedStep`: index of the step that the client got an error for, null when all went well. */
type Ended = (failedStep: number | null) => void;

/**
 * Does the steps of a batch and, for Sync, ends it with ReadyForQuery. Outside a transaction a
 * batch is one implicit transaction: a single flight is that by itself (its Sync commits); what is
 * followed by more that could fail, or by a mere Flush, runs in a block of ours.
 */
export function runBatch(
  session: BatchSession,
  steps: readonly BatchStep[],
  end: 'sync' | 'flush',
  ended: Ended,
): void {
  session.beginBatch(end);
  const { executor } = session;
  const groups = groupSteps(steps);
  runGroups({ session, groups, end }, (failure) => {
    const failedStep = failure === null ? null : stepIndex(steps, failure);
    if (end === 'flush') {
      ended(failedStep);
      session.flushed();
    } else if (executor.transaction.block === 'implicit') {
      endImplicitBlock(executor, () => {
        ended(failedStep);
        session.ready();
      });
    } else {
      ended(failedStep);
      session.ready();
    }
  });
}

/** Whether the group, which runs outside a block, must wait for the rest before it may count. */
function needsBlock({ groups, end }: Batch, index: number): boolean {
  const group = groups[index];
  if (group === undefined || !acts(group)) return false;
  if (group.kind === 'flight' && wantsAny(group.steps)) return true;
  return end === 'flush' || groups.slice(index + 1).some((later) => later.kind !== 'replies');
}

function wantsAny(steps: readonly BatchStep[]): boolean {
  return steps.some(
    (step) => step.kind === 'execute' && wantsBlock(step.portal.statement.planned.plan),
  );
}

/** It changes something that an error after it must undo. */
function acts(group: BatchGroup): boolean {
  switch (group.kind) {
    case 'flight':
      return group.steps.some((step) => step.kind === 'execute');
    case 'multi-shard':
      return true;
    case 'command': {
      const { plan } = group.portal.statement.planned;
      if (plan.kind === 'modify' || plan.kind === 'copy' || plan.kind === 'utility') return true;
      if (plan.kind === 'setting') return plan.command.kind !== 'discard-all';
      if (plan.kind === 'prepared') return plan.command.kind === 'execute';
      return plan.kind === 'explain' || plan.kind === 'recalled';
    }
    case 'replies':
    case 'describe-multi-shard':
    case 'describe-fetch':
    case 'cursor':
    case 'error':
      return false;
    default:
      return unreachable(group);
  }
}

type Batch = {
  readonly session: BatchSession;
  readonly groups: readonly BatchGroup[];
  readonly end: 'sync' | 'flush';
};

/** What failed: a group and, in a flight, how many of its steps had been answered. */
type Failure = { readonly group: BatchGroup; readonly answered: number };

function runGroups(batch: Batch, done: (failure: Failure | null) => void): void {
  const { session, groups } = batch;
  const { transaction } = session.executor;
  oneByOne((index, next) => {
    const group = groups[index];
    if (group === undefined) {
      done(null);
      return;
    }
    if (transaction.block === 'none' && needsBlock(batch, index)) transaction.beginImplicit();
    runGroup(session, group, (ok, answered) => {
      if (ok) next();
      else done({ group, answered });
    });
  });
}

function runGroup(
  session: BatchSession,
  group: BatchGroup,
  done: (ok: boolean, answered: number) => void,
): void {
  const { executor } = session;
  const simply = (ok: boolean) => done(ok, 0);
  const plan = group.kind === 'command' ? group.portal.statement.planned.plan : null;
  const aborted = abortedError(executor, plan);
  if (aborted !== null && !isAlwaysPossible(executor, group)) {
    executor.fail(aborted, simply);
    return;
  }
  const outdated = outdatedStatement(group);
  if (outdated !== null) {
    checkToldColumns(executor, outdated, (ok) => {
      if (ok) runGroup(session, group, done);
      else done(false, 0);
    });
    return;
  }
  switch (group.kind) {
    case 'flight':
      notePortals(executor, group.steps, group.shard);
      runFlight(session, group, done);
      return;
    case 'replies':
      reply(executor, group.steps, aborted, done);
      return;
    case 'multi-shard':
      runMultiShard(executor, group, simply);
      return;
    case 'describe-multi-shard':
      describePortal(executor, group.portal, simply);
      return;
    case 'describe-fetch':
      describeFetch(executor, group.step, simply);
      return;
    case 'cursor':
      runCursorStep(executor, group.step, simply);
      return;
    case 'command':
      runCommand(executor, group, simply);
      return;
    case 'error':
      executor.fail(group.error, simply);
      return;
    default:
      unreachable(group);
  }
}

/** `aborted`: only what may be said in a failed transaction is answered. */
function reply(
  executor: SessionExecutor,
  steps: readonly BatchStep[],
  aborted: PgError | null,
  done: (ok: boolean, answered: number) => void,
): void {
  for (const [index, step] of steps.entries()) {
    const refusal = aborted !== null && isRefused(executor, step) ? aborted : goneError(step);
    if (refusal !== null) {
      executor.fail(refusal, (ok) => done(ok, index));
      return;
    }
    notePortals(executor, [step], null);
    for (const frame of localReplies(step)) executor.output.push(frame);
  }
  done(true, 0);
}

/** In a failed transaction, as PostgreSQL does: an empty statement can be parsed, but not bound. */
function isRefused(executor: SessionExecutor, step: BatchStep): boolean {
  if (step.kind !== 'parse' && step.kind !== 'bind') return false;
  const { plan } = step.kind === 'parse' ? step.statement.planned : step.portal.statement.planned;
  if (step.kind === 'parse' && plan.kind === 'empty') return false;
  return abortedError(executor, plan) !== null;
}

/** The batch itself has ended the portal's transaction. */
function goneError(step: BatchStep): PgError | null {
  if (step.kind !== 'describe-portal' || !step.portal.isGone) return null;
  return noPortal(step.portal.name);
}

/** In a failed transaction, too. That there is no such portal is said before anything else. */
function isAlwaysPossible({ cursors }: SessionExecutor, group: BatchGroup): boolean {
  if (group.kind === 'flight') {
    const [first] = group.steps;
    // The text is read before the transaction is looked at: a server tells the mistake in it.
    if (first?.kind === 'parse' && isMistaken(first.statement.planned.plan)) return true;
    return group.steps.every((step) => step.kind === 'close');
  }
  if (group.kind === 'cursor') {
    return group.step.action === 'close' || cursors.get(group.step.name) === null;
  }
  return group.kind === 'replies' || group.kind === 'error';
}

/** What the steps say about portals, whoever answers them: `shard`, or null for ourselves. */
function notePortals(
  { transaction }: SessionExecutor,
  steps: readonly BatchStep[],
  shard: ShardId | null,
): void {
  for (const step of steps) {
    if (step.kind === 'bind') {
      step.portal.savepointCount = transaction.savepointCount;
      if (step.replaced !== null) replace(step.replaced, shard);
    } else if (step.kind === 'close' && step.portal !== null) closePortal(step.portal);
  }
}

/** By what is bound on `shard`, whose flight closes what it finds there. */
function replace(portal: Portal, shard: ShardId | null): void {
  closePortal(portal);
  const isThere = portal.target?.kind === 'shard' && portal.target.shard === shard;
  if (!isThere) releaseOpenName(portal);
}

function readsNoRows(step: BatchStep): boolean {
  const { kind } = step;
  if (kind === 'parse' || kind === 'describe-statement' || kind === 'close') return true;
  return 'portal' in step && step.portal !== null && isRowless(step.portal.statement.planned.plan);
}

function runFlight(
  session: BatchSession,
  group: Extract<BatchGroup, { kind: 'flight' }>,
  done: (ok: boolean, answered: number) => void,
): void {
  const { executor } = session;
  const executions = group.steps.filter((step) => step.kind === 'execute');
  const [first] = executions;
  const planned = executions.length === 1 && first ? first.portal.statement.planned : null;
  const effective = executions.flatMap(({ portal: { statement, parameters } }) =>
    isPlain(statement.planned.plan) ? [] : [{ planned: statement.planned, parameters }],
  );
  for (const { planned } of effective) expectLeftovers(executor, planned.plan);
  const taking = planned?.traffic ? [] : executions;
  const plans = taking.map(({ portal }) => portal.statement.planned.plan);
  const advances = flightAdvance(executor, plans);
  let flight: BatchFlight | null = null;
  executor.runFlight(
    {
      shard: group.shard,
      write: group.write,
      rowless: group.steps.every(readsNoRows),
      ...(effective.some(({ planned: { plan } }) => keepsState(plan)) ? { reserves: true } : {}),
      advances,
      traffic: planned?.traffic ?? null,
      resolvable: group.write && executions.every(isOfRows),
      build(connection, keeping) {
        flight = new BatchFlight(connection, keeping, executor.transaction.block !== 'none');
        return flight.build(group.steps);
      },
    },
    (ok) => {
      if (executor.transaction.block === 'none') unbind(group.steps);
      const changing = executions.find(({ portal }) => changesSchema(portal));
      const plan = (changing ?? first)?.portal.statement.planned.plan ?? noPlan;
      const next = (settled: boolean) =>
        noteExecuted(executor, plan, settled, () => done(settled, flight?.failedStep ?? 0));
      if (effective.length === 0) next(ok);
      else settleEffects(executor, effective, ok, next);
    },
  );
}

function isOfRows({ portal }: Extract<BatchStep, { kind: 'execute' }>): boolean {
  const { plan } = portal.statement.planned;
  return plan.kind === 'modify' || plan.kind === 'select';
}

const noPlan: Plan = { kind: 'empty' };

function changesSchema(portal: Portal): boolean {
  const { plan } = portal.statement.planned;
  return plan.kind === 'utility' && plan.changesSchema;
}

/** Outside a block the flight's Sync has destroyed the portals. */
function unbind(steps: readonly BatchStep[]): void {
  for (const step of steps) {
    if (step.kind === 'bind' || step.kind === 'execute') step.portal.boundOn = null;
  }
}

/** The steps in front of it have been answered; those from it on are undone. */
function stepIndex(steps: readonly BatchStep[], failure: Failure): number {
  const { group } = failure;
  switch (group.kind) {
    case 'flight': {
      const first = group.steps[failure.answered] ?? group.steps[0];
      return first === undefined ? 0 : steps.indexOf(first);
    }
    case 'replies': {
      const refused = group.steps[failure.answered];
      return refused === undefined ? 0 : steps.indexOf(refused);
    }
    case 'multi-shard':
    case 'describe-multi-shard':
    case 'command':
    case 'describe-fetch':
    case 'cursor':
    case 'error':
      return steps.indexOf(group.step);
    default:
      return unreachable(group);
  }
}
