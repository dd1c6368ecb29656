import type { Mode } from './fragment.ts';
import type { Scenario } from './scenario.ts';
import type { Tables } from './table.ts';
import type { Trap } from './trap.ts';
import { foundTraps } from './trap-found.ts';
import { readTraps } from './trap-reads.ts';
import { selectTraps } from './trap-selects.ts';
import { writeTraps } from './trap-writes.ts';

/**
 * What sharding proxies are known to answer wrongly without a word, one statement each. All run
 * once in every run, with both protocols, parameters and results as text and in binary.
 */
export function traps(tables: Tables): readonly Scenario[] {
  const extended: Mode = {
    protocol: 'extended',
    named: false,
    declareTypes: false,
    binaryParameters: false,
    binaryResults: true,
    rowsPerFetch: 0,
  };
  const modes: readonly Mode[] = [
    { protocol: 'simple' },
    extended,
    { ...extended, binaryParameters: true, rowsPerFetch: 7 },
  ];
  const played = (list: readonly Trap[], alone: boolean) =>
    list.flatMap(([name, query]) =>
      modes.map(
        (mode): Scenario => ({
          construct: `trap: ${name}`,
          expectation: mayBeRefused.has(name) ? 'either' : 'answered',
          alone,
          session: 0,
          steps: [{ query, mode }],
        }),
      ),
    );
  return [
    ...played(readTraps(tables), false),
    ...played(selectTraps(tables), false),
    ...played(foundTraps(tables), false),
    ...played(writeTraps(tables), true),
  ];
}

/** What differs between shards by nature, or is not atomic: refused, or right. */
const mayBeRefused: ReadonlySet<string> = new Set([
  // In binary, where a column has a type of the user's.
  'a hidden copy of a star',
  'a write to all shards',
  'a deletion by another table',
]);
