import type { PgError } from '../base/pg-error.ts';
import type { User } from '../config/config.ts';

/** Who may log in, wherever that is written. */
export type Accounts = {
  /**
   * Calls one of the two, at once or later; null: there is no such user. Returns a function that
   * gives up waiting.
   */
  find(
    name: string,
    found: (user: User | null) => void,
    failed: (error: PgError) => void,
  ): () => void;
};

/** The first of `lists` that knows the name decides; who is in none is asked for, if anybody is. */
export function accountsOf(
  lists: readonly ReadonlyMap<string, User>[],
  otherwise: Accounts | null,
): Accounts {
  return {
    find(name, found, failed) {
      const list = lists.find((users) => users.has(name));
      if (list === undefined && otherwise !== null) return otherwise.find(name, found, failed);
      found(list?.get(name) ?? null);
      return () => {};
    },
  };
}
