import { assert } from '../../base/assert.ts';
import type { InsertNode, MergeNode, SelectNode, SqlNode } from '../../sql/ast.ts';
import { analyze } from '../analysis.ts';
import { replaceNodes } from '../intermediate/replace-nodes.ts';
import { stableIn } from '../intermediate/stable-values.ts';
import { routingOf } from '../keys/routing-of.ts';
import { isOnePass } from '../one-pass/multi-shard-select.ts';
import { reference } from '../outputs.ts';
import type { MultiShardWrite, Reject, ShardQuery } from '../plan.ts';
import { refuse } from '../refuse.ts';
import { rewriteWrite, valueName } from '../rewrite-query.ts';
import type { RelationSchema } from '../schema.ts';
import type { StatementSource } from '../statement-context.ts';
import { plainSelect, target } from '../tree-builders.ts';
import type { WriteFacts } from '../written-table.ts';
import { computedValues } from './computed-values.ts';
import { selectOf } from './given-defaults.ts';
import { withStableValuesAssigned, withStableValuesListed } from './stable-defaults.ts';
import { writeRoute } from './write-route.ts';

type WhenNode = Extract<SqlNode, { readonly MergeWhenClause: unknown }>['MergeWhenClause'];

/**
 * MERGE on every shard for its own rows: when source and target are joined by their keys, so that
 * rows which match are on the same shard, and rows that do not match are added where they were read.
 */
export function planMerge(
  source: StatementSource,
  statement: MergeNode,
  facts: WriteFacts,
): MultiShardWrite | Reject {
  const node = withValuesGiven(source, withDefaultsGiven(source, statement, facts.relation));
  const { relation } = node;
  assert(relation !== undefined, 'a write without a table');
  // Rows of the target that match nothing are on all shards, the first way to read says so.
  const [first, ...others] = readsOf(node).map((select) =>
    analyze({ ...source, written: relation }, select),
  );
  assert(first !== undefined, 'a MERGE reads');
  const { context } = first;
  for (const { context, block } of [first, ...others]) {
    if (context.multiRefusal !== null) return context.multiRefusal;
    if (isOnePass(context, block)) continue;
    return refuse(
      'MERGE over several shards whose tables are not joined by their keys is not supported',
      'Join them by their keys, or use INSERT ... ON CONFLICT, UPDATE or DELETE.',
    );
  }
  const query: ShardQuery | Reject =
    node === statement ? { kind: 'as-received' } : rewriteWrite(context, { MergeStmt: node });
  if (query.kind === 'reject') return query;
  return {
    kind: 'write',
    before: [],
    intermediate: source.results.plans,
    step: { kind: 'own-rows', routing: routingOf(context), route: writeRoute(query) },
    isUnconditional: false,
    returnsRows: node.returningClause !== undefined,
    changesRows: true,
  };
}

/** Columns that are left to a default such as now() get one value for all shards. */
function withDefaultsGiven(
  source: StatementSource,
  node: MergeNode,
  relation: RelationSchema | null,
): MergeNode {
  if (relation?.sharding.kind !== 'distributed') return node;
  const clauses = node.mergeWhenClauses ?? [];
  const changed = clauses.map((clause): SqlNode => {
    if (!('MergeWhenClause' in clause)) return clause;
    const { MergeWhenClause: when } = clause;
    const given = givenIn(source, relation, when);
    return given === when ? clause : { MergeWhenClause: given };
  });
  const isSame = changed.every((clause, index) => clause === clauses[index]);
  return isSame ? node : { ...node, mergeWhenClauses: changed };
}

function givenIn(source: StatementSource, relation: RelationSchema, when: WhenNode): WhenNode {
  if (when.commandType === 'CMD_UPDATE') {
    const assignments = when.targetList ?? [];
    const given = withStableValuesAssigned(source, relation, assignments, false);
    return given === assignments ? when : { ...when, targetList: [...given] };
  }
  if (when.commandType !== 'CMD_INSERT') return when;
  const { targetList: cols, values: items = [] } = when;
  const row = { ...plainSelect, valuesLists: [{ List: { items } }] };
  const insert: InsertNode = {
    selectStmt: { SelectStmt: row },
    ...(cols === undefined ? {} : { cols }),
  };
  const given = withStableValuesListed(source, relation, insert);
  if (given === insert) return when;
  const [list] = selectOf(given).valuesLists ?? [];
  assert(list !== undefined && 'List' in list, 'one row');
  return { ...when, targetList: given.cols ?? [], values: list.List.items ?? [] };
}

/** now() and its kin are one value for all shards, too. */
function withValuesGiven(source: StatementSource, node: MergeNode): MergeNode {
  const calls = stableIn({ MergeStmt: node });
  const places = computedValues(source, calls);
  const values = [...places].map(([call, place]) => [call, reference([valueName(place)])] as const);
  return values.length === 0 ? node : replaceNodes(node, new Map<object, unknown>(values));
}

/** What it reads: rows that match nothing matter only when a clause is for such. */
function readsOf(node: MergeNode): readonly SelectNode[] {
  const { relation, sourceRelation, joinCondition, withClause } = node;
  assert(relation !== undefined && sourceRelation !== undefined, 'a MERGE of two tables');
  const clauses = clausesOf(node);
  const inserts = clauses.some(({ commandType }) => commandType === 'CMD_INSERT');
  const changesOthers = clauses.some(
    ({ matchKind }) => matchKind === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE',
  );
  const expressions = clauses.flatMap(({ condition, targetList = [], values = [] }) => [
    ...(condition === undefined ? [] : [condition]),
    ...targetList.flatMap((each) =>
      'ResTarget' in each && each.ResTarget.val !== undefined ? [each.ResTarget.val] : [],
    ),
    ...values,
  ]);
  const given = expressions.filter((each) => !('SetToDefault' in each));
  const joined = (outer: boolean, larg: SqlNode, rarg: SqlNode): SelectNode => ({
    ...plainSelect,
    targetList: [...given.map((each) => target(each)), ...(node.returningClause?.exprs ?? [])],
    fromClause: [
      {
        JoinExpr: {
          jointype: outer ? 'JOIN_LEFT' : 'JOIN_INNER',
          larg,
          rarg,
          ...(joinCondition === undefined ? {} : { quals: joinCondition }),
        },
      },
    ],
    ...(withClause === undefined ? {} : { withClause }),
  });
  const written = { RangeVar: relation };
  return [
    ...(changesOthers ? [joined(true, written, sourceRelation)] : []),
    ...(inserts || !changesOthers ? [joined(inserts, sourceRelation, written)] : []),
  ];
}

function clausesOf({ mergeWhenClauses = [] }: MergeNode) {
  return mergeWhenClauses.flatMap((clause) =>
    'MergeWhenClause' in clause ? [clause.MergeWhenClause] : [],
  );
}
