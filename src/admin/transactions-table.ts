import { unreachable } from '../base/assert.ts';
import type { InDoubtTransaction } from '../cluster/transactions/in-doubt.ts';
import type { Table } from './show-tables.ts';

/** Transactions over several shards that were left prepared, the oldest first. */
export function transactionsTable(inDoubt: readonly InDoubtTransaction[]): Table {
  return {
    columns: ['id', 'coordinator', 'shards', 'owner', 'age_ms', 'decision', 'meaning'],
    rows: inDoubt
      .toSorted((a, b) => b.ageMs - a.ageMs)
      .map((one) => [
        one.id,
        one.coordinator,
        one.shards.join(', '),
        one.owner,
        one.ageMs.toFixed(0),
        one.verdict,
        meaning(one),
      ]),
  };
}

function meaning({ verdict, coordinator }: InDoubtTransaction): string {
  switch (verdict) {
    case 'running':
      return `open on ${coordinator}, where its session, or a client's COMMIT PREPARED, decides`;
    case 'committed':
    case 'rolled-back':
      return 'decided, to be ended on these shards as soon as they answer';
    case 'unknown':
      return `${coordinator} cannot be asked; RESOLVE ends it by your word`;
    case 'disputed':
      return `another role has decided it, or one was renamed; RESOLVE ends it by your word`;
    default:
      return unreachable(verdict);
  }
}
