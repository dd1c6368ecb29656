import type { Drift } from '../cluster/drift/find-drift.ts';
import type { Table } from './show-tables.ts';

/** What is not on all shards as it should be. */
export function driftTable(found: readonly Drift[]): Table {
  return {
    columns: ['kind', 'name', 'shards', 'difference', 'remedy'],
    rows: found.map(({ kind, name, shards, difference, remedy }) => [
      kind,
      name,
      shards.join(', '),
      difference,
      remedy,
    ]),
  };
}
