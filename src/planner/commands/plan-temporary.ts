import type { RangeVarNode, SqlNode } from '../../sql/ast.ts';
import type { Plan } from '../plan.ts';
import type { PlanRequest } from '../plan-request.ts';
import { refusal } from '../refuse.ts';
import type { SessionEffect } from '../session-effect.ts';
import type { StatementContext } from '../statement-context.ts';
import { isOfEveryShard, relationOfName, residenceOf } from '../utility/relation-residence.ts';
import { relationsIn } from '../utility/utility-subjects.ts';

type UtilityPlan = Extract<Plan, { readonly kind: 'utility' }>;

const keepsTables: SessionEffect = { kind: 'keeps', temporary: true };

/** What the creation of a relation under this name changes: the catalogue, the session, or either. */
export function creation(
  { searchPath }: Pick<StatementContext, 'searchPath'>,
  { schemaname, relpersistence }: RangeVarNode,
): Pick<UtilityPlan, 'changesSchema' | 'effect'> {
  const isFirst = schemaname === undefined && searchPath[0] === 'pg_temp';
  if (relpersistence === 't' || schemaname === 'pg_temp' || isFirst) {
    return { changesSchema: false, effect: keepsTables };
  }
  // Schemas before it may not exist.
  const mayBe = schemaname === undefined && searchPath.includes('pg_temp');
  return mayBe ? { changesSchema: true, effect: keepsTables } : { changesSchema: true };
}

/**
 * Utility statements about temporary relations: they run where the session has, or will have, its
 * own. null: it is not about such.
 */
export function planTemporary(
  request: PlanRequest,
  context: StatementContext,
  statement: SqlNode,
  tag: string,
): UtilityPlan | null {
  const created = createdBy(statement);
  if (created !== null) {
    const changes = creation(context, created);
    if (changes.effect === undefined) return null;
    const read = relationsIn(statement).filter((table) => table !== created);
    if (read.some((table) => isOfAllShards(request, table))) {
      const hint = 'Make a temporary table of its rows, or a view that is not temporary.';
      throw refusal('a temporary view of distributed tables is not supported', hint);
    }
    return { kind: 'utility', tag, everyShard: null, ...changes };
  }
  const tables = relationsIn(statement).map((table) => relationOfName(request, table));
  const own = tables.filter((table) => table?.isTemporary === true);
  if (own.length === 0) return null;
  if (tables.some((table) => table !== null && table.sharding.kind !== 'local')) return null;
  const changesSchema = own.length < tables.length;
  return { kind: 'utility', tag, changesSchema, everyShard: null, effect: keepsTables };
}

/** The home shard has a part of its rows only. */
function isOfAllShards(request: PlanRequest, table: RangeVarNode): boolean {
  const isCopy = relationOfName(request, table)?.sharding.kind === 'reference';
  return !isCopy && isOfEveryShard(residenceOf(request, table));
}

function createdBy(statement: SqlNode): RangeVarNode | null {
  if ('CreateStmt' in statement) return statement.CreateStmt.relation ?? null;
  if ('CreateTableAsStmt' in statement) return statement.CreateTableAsStmt.into?.rel ?? null;
  if ('ViewStmt' in statement) return statement.ViewStmt.view ?? null;
  return 'CreateSeqStmt' in statement ? (statement.CreateSeqStmt.sequence ?? null) : null;
}
