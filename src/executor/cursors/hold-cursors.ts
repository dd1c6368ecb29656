import { oneByOne } from '../one-by-one.ts';
import type { SessionExecutor } from '../session-executor.ts';

const none: readonly string[] = [];

/**
 * Before a block is committed: its cursors WITH HOLD over several shards read what is left of their
 * rows. `done` hears their names, or null when the client has been told why it cannot be: then the
 * block has failed, as in PostgreSQL.
 */
export function holdCursors(
  { cursors }: SessionExecutor,
  done: (names: readonly string[] | null) => void,
): void {
  if (!cursors.hasNewHoldable) {
    done(none);
    return;
  }
  const { toBeHeld } = cursors;
  oneByOne((index, next) => {
    const entry = toBeHeld[index];
    if (entry === undefined) {
      for (const { name } of toBeHeld) cursors.held(name);
      done(toBeHeld.map(({ name }) => name));
      return;
    }
    entry.cursor.hold((ok) => {
      if (ok) next();
      else done(null);
    });
  });
}
