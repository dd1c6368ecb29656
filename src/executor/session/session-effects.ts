import type { Plan } from '../../planner/plan.ts';
import type { SessionEffect } from '../../planner/session-effect.ts';
import type { ExecutedStatement } from '../executed-statement.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { spreadSettings } from './left-settings.ts';
import { reviewReservations } from './review-reservations.ts';
import { takeSettings } from './take-settings.ts';

/** null: it leaves the session as it is. */
export function effectOf(plan: Plan): SessionEffect | null {
  if (plan.kind !== 'select' && plan.kind !== 'modify' && plan.kind !== 'utility') return null;
  return plan.effect ?? null;
}

export function keepsState(plan: Plan): boolean {
  return effectOf(plan)?.kind === 'keeps';
}

/** It may leave what nothing in it tells; it runs in a block then, at whose end servers are asked. */
function leavesState(plan: Plan): boolean {
  switch (plan.kind) {
    case 'select':
    case 'modify':
    case 'utility':
    case 'copy':
    case 'cursor':
    case 'explain':
      return plan.leaves === true;
    default:
      return false;
  }
}

/** Before a statement, or a flight of several, is sent. */
export function expectLeftovers({ transaction, kept }: SessionExecutor, plan: Plan): void {
  if (!leavesState(plan)) return;
  if (transaction.block === 'none') transaction.beginImplicit();
  kept.reservations.isWatching = true;
}

/** Nothing has to be done before or after it. */
export function isPlain(plan: Plan): boolean {
  return effectOf(plan) === null && !leavesState(plan);
}

/** It must be in a block. */
export function wantsBlock(plan: Plan): boolean {
  return setsSettings(plan) || leavesState(plan);
}

/** Statements that set_config() is in must be in a block, whose other shards are told as well. */
export function setsSettings(plan: Plan): boolean {
  return effectOf(plan)?.kind === 'sets';
}

/**
 * After statements with effects, which have gone well (`ok`) or not: what they did to the server's
 * session is found out and taken over. `done(false)`: the client has been sent an error.
 */
export function settleEffects(
  executor: SessionExecutor,
  executed: readonly ExecutedStatement[],
  ok: boolean,
  done: (ok: boolean) => void,
): void {
  const { block } = executor.transaction;
  const effects = executed.map(({ planned }) => effectOf(planned.plan));
  const changesNames = effects.some(
    (effect) => effect?.kind === 'ends' || (effect?.kind === 'keeps' && effect.temporary),
  );
  const leaves = executed.some(({ planned }) => leavesState(planned.plan));
  const mayEnd = block === 'none' && effects.some((effect) => effect?.kind !== 'sets');
  const next = () => {
    if (!ok) done(false);
    else
      takeSettings(executor, executed, (taken) => {
        if (taken && leaves) spreadSettings(executor, done);
        else done(taken);
      });
  };
  if (mayEnd || (changesNames && ok)) reviewReservations(executor, next);
  else next();
}
