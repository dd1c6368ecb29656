import type { RouteNode, ShardQuery } from '../plan.ts';

/** What one shard runs; RETURNING says what columns come back, if any. */
export function writeRoute(query: ShardQuery): RouteNode {
  return { kind: 'route', query, visibleCount: 0, hiddenCount: 0 };
}
