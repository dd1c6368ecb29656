import { assert } from '../../base/assert.ts';
import type { PlanNode, ShardQuery } from '../../planner/plan.ts';
import type { IntermediateRun } from '../target.ts';
import { resultsOf } from './query-text.ts';

/** Numbers of results, ascending: a result refers only to those before it. */
export type NeededResults = {
  /** Whose rows must be collected. */
  readonly rows: readonly number[];
  /** Whose columns must be known: these, and what describing them takes. */
  readonly columns: readonly number[];
};

/** What the query needs of the statement's results, `given` ones included; some are for other routings only. */
export function neededResults(
  results: readonly IntermediateRun[],
  query: ShardQuery,
  given: readonly unknown[] = [],
): NeededResults {
  const rows = new Set<number>();
  const columns = new Set<number>();
  const need = (needing: ShardQuery) => {
    const { mentioned, read } = resultsOf(needing);
    for (const number of mentioned) columns.add(number);
    for (const number of read) rows.add(number);
  };
  need(query);
  for (let number = results.length - 1; number >= 0; number--) {
    const result = results[number];
    assert(result !== undefined, 'results are counted from 0');
    if (rows.has(number)) {
      columns.add(number);
      // What is here needs nothing more.
      if ((given[number] ?? null) === null) need(queryOf(result.root));
    }
    if (columns.has(number))
      for (const other of resultsOf(result.whole).mentioned) columns.add(other);
  }
  const ascending = (numbers: ReadonlySet<number>) => [...numbers].sort((a, b) => a - b);
  return { rows: ascending(rows), columns: ascending(columns) };
}

/** Every plan over shards ends in the one query that the shards get. */
export function queryOf(node: PlanNode): ShardQuery {
  return node.kind === 'route' ? node.query : queryOf(node.input);
}
