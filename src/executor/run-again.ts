import type { Clock } from '../base/clock.ts';
import type { PgError } from '../base/pg-error.ts';

/** How often a statement whose client has seen nothing of it is run again after a loss. */
export const rerunsMax = 3;

const pauseMs = 50;

/**
 * Calls `run` later: almost at once for the first time, then after growing pauses, because a server
 * that dies takes its connections along one by one. Returns a function that gives it up.
 */
export function runAgain(clock: Clock, rerunsLeft: number, run: () => void): () => void {
  return clock.after((rerunsMax - rerunsLeft) * pauseMs, run);
}

/** Ours, or the server's last words: 57P01 when it shuts down, 57P02 when another session crashed. */
export function isLoss({ sqlState }: PgError): boolean {
  return /^(?:08006|57P0[12])$/.test(sqlState);
}
