import type { Clock } from '../../base/clock.ts';
import type { TransactionRecovery } from './transaction-recovery.ts';

const periodMs = 250;

/**
 * Reads at the start, while recovery looks again and again: what another pgweave has left prepared when
 * it was killed may hold what is to be read. No look is under way any more when it settles, as
 * `read` does.
 */
export async function besideRecovery(
  recovery: Pick<TransactionRecovery, 'recover'>,
  clock: Clock,
  read: () => Promise<void>,
): Promise<void> {
  let look: Promise<unknown> | null = null;
  const lookAgain = () => {
    look ??= recovery.recover(new Set()).finally(() => {
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
}
