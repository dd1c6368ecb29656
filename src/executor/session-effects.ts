import type { Plan } from '../planner/plan.ts';
import type { SessionEffect } from '../planner/session-effect.ts';
import type { ExecutedStatement } from './executed-statement.ts';
import { reviewReservations } from './review-reservations.ts';
import type { SessionExecutor } from './session-executor.ts';
import { takeSettings } from './take-settings.ts';

/** null: it leaves the session as it is. */
export function effectOf(plan: Plan): SessionEffect | null {
  if (plan.kind !== 'select' && plan.kind !== 'modify' && plan.kind !== 'utility') return null;
  return plan.effect ?? null;
}

export function keepsState(plan: Plan): boolean {
  return effectOf(plan)?.kind === 'keeps';
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
  const mayEnd = block === 'none' && effects.some((effect) => effect?.kind !== 'sets');
  const next = () => {
    if (!ok) done(false);
    else takeSettings(executor, executed, done);
  };
  if (mayEnd || (changesNames && ok)) reviewReservations(executor, next);
  else next();
}
