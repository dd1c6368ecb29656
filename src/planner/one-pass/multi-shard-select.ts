import { PgError } from '../../base/pg-error.ts';
import type { Block } from '../block.ts';
import type { PlanNode, Reject } from '../plan.ts';
import { refuse, rejectOf } from '../refuse.ts';
import { receivedQuery } from '../rewrite-query.ts';
import type { StatementContext } from '../statement-context.ts';
import { aggregateOverShards } from './aggregate-over-shards.ts';
import { distinctOverShards } from './distinct-over-shards.ts';
import { routeOf, rowsOfShards } from './rows-of-shards.ts';

const oneKey = 'Restrict every distributed table in it to one key.';

/**
 * The steps above the shards that make one answer of theirs, or why there are none. Everything
 * below the route runs on each shard for its own rows; what stays above is done in the proxy.
 */
export function multiShardSelect(context: StatementContext, block: Block): PlanNode | Reject {
  if (context.multiRefusal !== null) return context.multiRefusal;
  if (context.usesHome) {
    return refuse(
      'a table of the home shard together with rows of several shards is not supported',
      'Read the tables one after the other, or make the small one a reference table.',
    );
  }
  try {
    if (block.body.kind === 'select') return overSelect(context, block);
    return block.body.kind === 'set-operation' ? overUnion(context, block) : noRows();
  } catch (error) {
    if (error instanceof PgError) return rejectOf(error);
    throw error;
  }
}

/** Every row of its FROM lies on one shard. */
export function isOnePass(context: StatementContext, block: Block): boolean {
  if (block.body.kind !== 'select' || context.usesHome) return false;
  const isJoined = rootNames(context, block).length <= 1 || readsUnionOnly(context, block);
  return isJoined && block.body.fromShape === 'partitioned';
}

function overSelect(context: StatementContext, block: Block): PlanNode | Reject {
  if (block.body.kind !== 'select') return noRows();
  const { body } = block;
  const names = rootNames(context, block);
  if (names.length > 1 && !readsUnionOnly(context, block)) return notJoined(names);
  if (body.fromShape === 'dependent') return needsAllRows();
  if (body.fromShape !== 'partitioned') return noRows();
  const { aggregation, distinct, windows } = body.traits;
  if (windows === 'over-shards') {
    return refuse(
      'a window over rows of several shards is not supported',
      'Put the key into PARTITION BY, or restrict the statement to one key.',
    );
  }
  if (aggregation === 'over-shards') {
    return distinct === 'none'
      ? aggregateOverShards(context, body)
      : refuse('DISTINCT over aggregates of several shards is not supported', oneKey);
  }
  if (distinct === 'over-shards') return distinctOverShards(context, body);
  return rowsOfShards(context, body);
}

/** UNION ALL whose arms all read their own shards' rows. */
function overUnion(context: StatementContext, block: Block): PlanNode | Reject {
  if (block.body.kind !== 'set-operation') return noRows();
  const { select } = block.body;
  const sorted = select.sortClause !== undefined;
  const limited = select.limitCount !== undefined || select.limitOffset !== undefined;
  if (block.shape !== 'partitioned' || sorted || limited) {
    return refuse(
      'only UNION ALL of distributed tables, without ORDER BY and LIMIT, runs across shards',
      oneKey,
    );
  }
  const names = armsNames(context, block);
  if (names !== null) return notJoined(names);
  const query = receivedQuery(context, select);
  if (query.kind === 'reject') return query;
  return { kind: 'append', input: routeOf(query, block.columns.length, 0) };
}

/**
 * UNION of what every shard can do with its own rows: equal rows of several shards are left to be made
 * one. Arms without distributed tables give the same rows everywhere, which are equal.
 */
export function isUnionOfShards(context: StatementContext, block: Block): boolean {
  if (block.body.kind !== 'set-operation' || context.usesHome || context.multiRefusal !== null) {
    return false;
  }
  const { select } = block.body;
  const isUnion = select.op === 'SETOP_UNION' && select.all !== true;
  return isUnion && armsNames(context, block) === null && unitesRowsOfShards(block);
}

function unitesRowsOfShards({ shape, body }: Block): boolean {
  if (body.kind !== 'set-operation') return shape !== 'dependent';
  return body.select.op === 'SETOP_UNION' && body.arms.every(unitesRowsOfShards);
}

/** Of an arm whose tables are not joined by their keys; null when there is none. */
function armsNames(context: StatementContext, block: Block): readonly string[] | null {
  const names = armsOf(block).map((arm) => rootNames(context, arm));
  return names.find((each) => each.length > 1) ?? null;
}

/**
 * `FROM (... UNION ALL ...)` and no other distributed table: the arms' rows lie where the keys of
 * their own tables say.
 */
function readsUnionOnly(context: StatementContext, block: Block): boolean {
  if (block.body.kind !== 'select') return false;
  const [node, ...more] = block.body.select.fromClause ?? [];
  if (node === undefined || more.length > 0 || !('RangeSubselect' in node)) return false;
  const { subquery } = node.RangeSubselect;
  if (subquery === undefined || !('SelectStmt' in subquery)) return false;
  const union = context.blocks.find((record) => record.select === subquery.SelectStmt)?.block;
  if (union?.body.kind !== 'set-operation' || union.shape !== 'partitioned') return false;
  const isAll = union.start === block.start && union.end === block.end;
  return isAll && armsNames(context, union) === null;
}

function armsOf(block: Block): readonly Block[] {
  return block.body.kind === 'set-operation' ? block.body.arms.flatMap(armsOf) : [block];
}

/** One table for each set of tables whose keys are not known to be equal. */
function rootNames(context: StatementContext, block: Block): readonly string[] {
  const roots = new Map<number, string>();
  for (let instance = block.start; instance < block.end; instance += 1) {
    const root = context.ties.rootOf(instance);
    if (!roots.has(root)) roots.set(root, context.ties.nameOf(root));
  }
  return [...roots.values()];
}

function notJoined(names: readonly string[]): Reject {
  const list = names.map((name) => `"${name}"`).join(' and ');
  return refuse(
    `${list} are not joined by their keys`,
    'Join them by their keys, or restrict each of them to the same key.',
  );
}

function needsAllRows(): Reject {
  return refuse(
    'a subquery in FROM, or an outer join, needs the rows of several shards in one place',
    'Group and join by the key, keep LIMIT at the top, or restrict the statement to one key.',
  );
}

function noRows(): Reject {
  return refuse(
    'a query whose own rows do not come from a distributed table would repeat them on every shard',
    oneKey,
  );
}
