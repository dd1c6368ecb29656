import type { SelectBody } from '../block.ts';
import type { StatementContext } from '../statement-context.ts';
import { knownBody } from './known-body.ts';
import type { QueryParts } from './query-parts.ts';
import { splitAggregates } from './split-aggregates.ts';
import { splitRows } from './split-rows.ts';

/**
 * Cuts a SELECT whose joined rows each lie on one shard (`fromShape` partitioned) into what every
 * shard does with its own rows and what one PostgreSQL does with the rows of all of them, read from
 * the intermediate result of that name. null when it cannot be cut so that the answer is the same.
 */
export function splitQuery(
  context: StatementContext,
  body: SelectBody,
  resultName: string,
): QueryParts | null {
  const { select, scope, traits, fromShape } = body;
  const known = fromShape === 'partitioned' ? knownBody(body) : null;
  // Names of outer queries mean nothing in a result; rows to lock are not in it.
  if (known === null || scope.parent !== null || select.lockingClause !== undefined) return null;
  const aggregates =
    traits.aggregation === 'over-shards' ? splitAggregates(context, known, resultName) : null;
  return aggregates ?? splitRows(context, known, resultName);
}
