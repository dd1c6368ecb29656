import type { RangeVarNode, SelectNode, SqlNode } from '../../sql/ast.ts';
import { analyze } from '../analysis.ts';
import { creation } from '../commands/plan-temporary.ts';
import { expandViews } from '../expand-views.ts';
import { resultRead } from '../intermediate/result-read.ts';
import { intoClause } from '../into-clause.ts';
import { routingOf } from '../keys/routing-of.ts';
import { reference } from '../outputs.ts';
import type { Plan } from '../plan.ts';
import { collect } from '../plan-multi-shard.ts';
import type { PlanRequest } from '../plan-request.ts';
import { refusal } from '../refuse.ts';
import { relationOf } from '../relation-item.ts';
import { rewriteWrite } from '../rewrite-query.ts';
import { plainColumn } from '../scope.ts';
import { StatementContext, type StatementSource } from '../statement-context.ts';
import { plainSelect, target } from '../tree-builders.ts';
import { demandUnlisted } from '../utility/demand-possible.ts';
import { notCollected } from './plan-selected-rows.ts';
import { writeRoute } from './write-route.ts';

const createFirst = 'Create the table, then INSERT what the query returns.';

type CreateAsNode = Extract<SqlNode, { readonly CreateTableAsStmt: unknown }>['CreateTableAsStmt'];
type Creation = {
  readonly node: CreateAsNode;
  readonly table: RangeVarNode;
  readonly query: SelectNode;
};

/**
 * CREATE TABLE AS and SELECT INTO with a query over distributed tables: the rows come in first, and
 * the home shard, or the session's server there, makes the table of them. null: it is neither, or
 * the home shard has what it reads.
 */
export function planCreateAs(
  source: StatementSource,
  request: PlanRequest,
  statement: SqlNode,
): Plan | null {
  const parts = creationOf(statement);
  if (parts === null) return null;
  const { context, select, block } = expandViews(analyze(source, parts.query));
  if (routingOf(context).kind !== 'by-key') return null;
  relationOf(context, parts.table);
  demandUnlisted(request, parts.table);
  if (context.effect !== null) throw refusal('CREATE TABLE AS with session functions', createFirst);
  const changes = creation(context, parts.table);
  if (parts.node.into?.skipData === true) {
    return { kind: 'utility', tag: 'CREATE TABLE AS', everyShard: null, ...changes };
  }
  if (block.open) {
    throw refusal('CREATE TABLE AS of columns that are not known', 'Name the columns in SELECT.');
  }
  const names = block.columns.map((_, index) => `column_${index + 1}`);
  const result = collect(source, { kind: 'query', select, columns: names.map(plainColumn) });
  if (result === null) throw notCollected(source, select);
  const targetList = block.columns.map(({ name }, index) =>
    target(reference([names[index] ?? '']), name),
  );
  const query = { SelectStmt: { ...plainSelect, targetList, fromClause: [resultRead(result)] } };
  const tree = { CreateTableAsStmt: { ...parts.node, query } };
  const text = rewriteWrite(new StatementContext(source, tree), tree);
  if (text.kind === 'reject') return text;
  const home = { kind: 'home', anywhere: false } as const;
  return {
    kind: 'modify',
    command: 'select',
    routing: home,
    isWhole: false,
    multi: {
      kind: 'write',
      before: [],
      intermediate: source.results.plans,
      step: { kind: 'own-rows', routing: home, route: writeRoute(text) },
      isUnconditional: false,
      returnsRows: false,
      changesRows: false,
    },
    ...changes,
    // The server where a temporary table is must be the session's from then on.
    ...(changes.effect === undefined ? {} : { leaves: true }),
  };
}

function creationOf(statement: SqlNode): Creation | null {
  if ('SelectStmt' in statement) {
    const found = intoClause(statement.SelectStmt);
    const table = found?.into.rel;
    if (found === null || table === undefined) return null;
    return { node: { into: found.into, objtype: 'OBJECT_TABLE' }, table, query: found.query };
  }
  if (!('CreateTableAsStmt' in statement)) return null;
  const node = statement.CreateTableAsStmt;
  const { query, into, objtype } = node;
  if (objtype !== 'OBJECT_TABLE' || into?.rel === undefined) return null;
  if (query === undefined || !('SelectStmt' in query)) return null;
  return { node, table: into.rel, query: query.SelectStmt };
}
