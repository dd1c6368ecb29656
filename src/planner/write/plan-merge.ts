import { assert } from '../../base/assert.ts';
import type { MergeNode, SelectNode, SqlNode } from '../../sql/ast.ts';
import { analyze } from '../analysis.ts';
import { isOnePass } from '../multi-shard-select.ts';
import type { MultiShardWrite, Reject } from '../plan.ts';
import { refuse } from '../refuse.ts';
import { routingOf } from '../routing-of.ts';
import type { StatementSource } from '../statement-context.ts';
import { plainSelect, target } from '../tree-builders.ts';
import { writeRoute } from './write-route.ts';

/**
 * MERGE on every shard for its own rows: when source and target are joined by their keys, so that
 * rows which match are on the same shard, and rows that do not match are added where they were read.
 */
export function planMerge(source: StatementSource, node: MergeNode): MultiShardWrite | Reject {
  const { relation } = node;
  assert(relation !== undefined, 'a write without a table');
  const { context, block } = analyze({ ...source, written: relation }, asSelect(node));
  if (context.multiRefusal !== null) return context.multiRefusal;
  const changesOthers = clausesOf(node).some(
    ({ matchKind }) => matchKind === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE',
  );
  if (changesOthers || !isOnePass(context, block)) {
    return refuse(
      'MERGE over several shards whose tables are not joined by their keys is not supported',
      'Join them by their keys, or use INSERT ... ON CONFLICT, UPDATE or DELETE.',
    );
  }
  return {
    kind: 'write',
    before: [],
    intermediate: [],
    step: {
      kind: 'own-rows',
      routing: routingOf(context),
      route: writeRoute({ kind: 'as-received' }),
    },
    isUnconditional: false,
    returnsRows: node.returningClause !== undefined,
    changesRows: true,
  };
}

/** What it reads: rows of the source that match nothing matter only when they are inserted. */
function asSelect(node: MergeNode): SelectNode {
  const { relation, sourceRelation, joinCondition, withClause } = node;
  assert(relation !== undefined && sourceRelation !== undefined, 'a MERGE of two tables');
  const clauses = clausesOf(node);
  const inserts = clauses.some(({ commandType }) => commandType === 'CMD_INSERT');
  const expressions = clauses.flatMap(({ condition, targetList = [], values = [] }) => [
    ...(condition === undefined ? [] : [condition]),
    ...targetList.flatMap((each) =>
      'ResTarget' in each && each.ResTarget.val !== undefined ? [each.ResTarget.val] : [],
    ),
    ...values,
  ]);
  const given = expressions.filter((each) => !('SetToDefault' in each));
  const join: SqlNode = {
    JoinExpr: {
      jointype: inserts ? 'JOIN_LEFT' : 'JOIN_INNER',
      larg: sourceRelation,
      rarg: { RangeVar: relation },
      ...(joinCondition === undefined ? {} : { quals: joinCondition }),
    },
  };
  return {
    ...plainSelect,
    targetList: [...given.map((each) => target(each)), ...(node.returningClause?.exprs ?? [])],
    fromClause: [join],
    ...(withClause === undefined ? {} : { withClause }),
  };
}

function clausesOf({ mergeWhenClauses = [] }: MergeNode) {
  return mergeWhenClauses.flatMap((clause) =>
    'MergeWhenClause' in clause ? [clause.MergeWhenClause] : [],
  );
}
