import type { Clock } from '../../base/clock.ts';
import type { TransactionRecovery } from './transaction-recovery.ts';

const periodMs = 250;

/**
 * Reads at the start, while recovery looks again and again: what another pgweave has left prepared when
 * it was killed may hold what is to be read. No look is under way any more when it settles, as
 * `read` does. True: transactions were ended meanwhile, which what was read may not show.
 */
export async function besideRecovery(
  recovery: Pick<TransactionRecovery, 'recover'>,
  clock: Clock,
  read: () => Promise<void>,
): Promise<boolean> {
  let look: Promise<unknown> | null = null;
  let hasEnded = false;
  const lookAgain = () => {
    look ??= recovery
      .recover(new Set())
      .then(({ outcomes }) => {
        hasEnded ||= outcomes.size > 0;
      })
      .finally(() => {
        look = null;
      });
  };
  lookAgain();
  const cancelTimer = clock.every(periodMs, lookAgain);
  try {
    await read();
  } finally {
    cancelTimer();
    await look;
  }
  return hasEnded;
}
