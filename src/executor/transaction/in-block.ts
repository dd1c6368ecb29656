import type { SessionExecutor } from '../session-executor.ts';

/** The session ends an implicit block when it has answered the message. */
export function inBlock({ transaction }: Pick<SessionExecutor, 'transaction'>): void {
  if (transaction.block === 'none') transaction.beginImplicit();
}
