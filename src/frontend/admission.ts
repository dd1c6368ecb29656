import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Limits } from '../config/config.ts';

/** What may have a limited number of clients, over all workers. */
export type Place = { readonly kind: 'user' | 'database' | 'address'; readonly name: string };

/** Counts clients by place; `supervisor` implements it. */
export type Admission = {
  /** Takes all places for the client, or none: then `full` is one that has no room. */
  take(client: number, places: readonly Place[], answered: (full: Place | null) => void): void;
  /** Gives up every place of the client. */
  leave(client: number): void;
};

/** Those of `places` that have a limit. */
export function limitedPlaces(limits: Limits, places: readonly Place[]): readonly Place[] {
  return places.filter(({ kind }) => placeLimit(limits, kind) !== null);
}

export function placeLimit(limits: Limits, kind: Place['kind']): number | null {
  switch (kind) {
    case 'user':
      return limits.clientsPerUserMax;
    case 'database':
      return limits.clientsPerDatabaseMax;
    case 'address':
      return limits.clientsPerAddressMax;
  }
}

/** In PostgreSQL's words where it has such a limit. */
export function placeFull({ kind, name }: Place): PgError {
  const words = kind === 'address' ? 'from address' : `for ${kind === 'user' ? 'role' : kind}`;
  return new PgError(SqlState.tooManyConnections, `too many connections ${words} "${name}"`, {
    severity: 'FATAL',
  });
}
