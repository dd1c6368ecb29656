import { assert } from '../../base/assert.ts';
import type { InsertNode, SelectNode } from '../../sql/ast.ts';
import type { MultiShardWrite, Reject, WriteStep } from '../plan.ts';
import { refusal } from '../refuse.ts';
import { rewriteWrite } from '../rewrite-query.ts';
import type { RelationSchema } from '../schema.ts';
import { StatementContext, type StatementSource } from '../statement-context.ts';
import type { WriteFacts } from '../written-table.ts';
import { insertAsSelect } from './as-select.ts';
import { planListedRows } from './plan-listed-rows.ts';
import { planNewCopies } from './plan-new-copies.ts';
import { planSelectedRows, selectCollected } from './plan-selected-rows.ts';
import { isOfOneServer, settle } from './settle.ts';
import { withStableValuesAssigned } from './stable-defaults.ts';
import { writeRoute } from './write-route.ts';

/** INSERT whose rows belong on several shards, or read those of several. */
export function planInsert(
  source: StatementSource,
  statement: InsertNode,
  facts: WriteFacts,
): MultiShardWrite | Reject {
  const { relation } = facts;
  const node = withDefaultsAssigned(source, statement, relation);
  const rows = sourceOf(node);
  if (relation?.sharding.kind !== 'distributed') {
    const settled = intoOneServer(source, node, rows);
    if (relation?.sharding.kind === 'reference') return planNewCopies(source, settled, relation);
    const query = rewriteWrite(new StatementContext(source, { InsertStmt: settled }), {
      InsertStmt: settled,
    });
    if (query.kind === 'reject') return query;
    const routing = { kind: 'home', anywhere: false } as const;
    return asPlan(source, node, { kind: 'own-rows', routing, route: writeRoute(query) });
  }
  if (facts.setsKey) {
    throw refusal(
      'ON CONFLICT ... SET of the key over several shards is not supported',
      'Leave the key out of SET, or set it to excluded.',
    );
  }
  mustFindConflicts(relation, relation.sharding.key, node);
  assert(rows !== null, 'an INSERT without values has no key');
  const step =
    rows.valuesLists !== undefined && rows.withClause === undefined
      ? planListedRows(source, node, rows, relation)
      : planSelectedRows(source, node, rows, relation);
  return step.kind === 'reject' ? step : asPlan(source, node, step);
}

/** ON CONFLICT ... SET column = DEFAULT has one value for all shards. */
function withDefaultsAssigned(
  source: StatementSource,
  node: InsertNode,
  relation: RelationSchema | null,
): InsertNode {
  const conflict = node.onConflictClause;
  const assignments = conflict?.targetList;
  if (assignments === undefined || relation?.sharding.kind !== 'distributed') return node;
  const given = withStableValuesAssigned(source, relation, assignments, false);
  if (given === assignments) return node;
  return { ...node, onConflictClause: { ...conflict, targetList: [...given] } };
}

function asPlan(source: StatementSource, node: InsertNode, step: WriteStep): MultiShardWrite {
  const intermediate = source.results.plans;
  const returnsRows = node.returningClause !== undefined;
  const changesRows = node.onConflictClause?.action === 'ONCONFLICT_UPDATE';
  return {
    kind: 'write',
    before: [],
    intermediate,
    step,
    isUnconditional: false,
    returnsRows,
    changesRows,
  };
}

/** null: DEFAULT VALUES. */
function sourceOf({ selectStmt }: InsertNode): SelectNode | null {
  return selectStmt !== undefined && 'SelectStmt' in selectStmt ? selectStmt.SelectStmt : null;
}

/** The rows come in first when they are of several shards, so that one server can add them. */
function intoOneServer(
  source: StatementSource,
  node: InsertNode,
  rows: SelectNode | null,
): InsertNode {
  if (rows !== null && rows.valuesLists === undefined) return selectCollected(source, node, rows);
  const seen = insertAsSelect(node);
  assert(node.relation !== undefined, 'a write without a table');
  const settled = settle({ ...source, written: node.relation }, seen.select, isOfOneServer);
  if ('kind' in settled) throw refusal(settled.message, settled.hint ?? '');
  if (settled.select === seen.select) return node;
  const changed = seen.apply(settled.select);
  assert('InsertStmt' in changed, 'an INSERT stays one');
  return changed.InsertStmt;
}

/** A row that is in the way must be on the shard of the new row: it has the same key. */
function mustFindConflicts(relation: RelationSchema, key: string, node: InsertNode): void {
  const conflict = node.onConflictClause;
  if (conflict === undefined) return;
  const target = conflict.infer;
  const names = (target?.indexElems ?? []).map((element) =>
    'IndexElem' in element ? element.IndexElem.name : undefined,
  );
  if (names.includes(key)) return;
  const isNamed = names.length > 0;
  if (!isNamed && relation.uniqueKeys.every((columns) => columns.includes(key))) return;
  throw refusal(
    `ON CONFLICT without the key "${key}" of "${relation.name}" over several shards is not supported`,
    'Put the key into the unique constraint and into the conflict target.',
  );
}
