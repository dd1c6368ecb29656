import type { InsertNode, SqlNode } from '../../sql/ast.ts';
import { resultRead } from '../intermediate/result-read.ts';
import { reference } from '../outputs.ts';
import type { MultiShardWrite, Reject, ShardQuery } from '../plan.ts';
import { refusal, refuse } from '../refuse.ts';
import { rewriteQuery, rewriteWrite } from '../rewrite-query.ts';
import type { RelationSchema } from '../schema.ts';
import { plainColumn } from '../scope.ts';
import { StatementContext, type StatementSource } from '../statement-context.ts';
import { plainSelect, target } from '../tree-builders.ts';
import { fullName } from './full-name.ts';
import { writeRoute } from './write-route.ts';

/**
 * INSERT into a reference table: one shard computes the rows, with their defaults, sequences and
 * times, and the others store what came out there.
 */
export function planNewCopies(
  source: StatementSource,
  node: InsertNode,
  relation: RelationSchema,
): MultiShardWrite | Reject {
  const names = relation.columns
    .filter((column) => column.isGenerated !== true)
    .map(({ name }) => name);
  const alias = node.relation?.alias?.aliasname ?? node.relation?.relname ?? '';
  const stored = names.map((name) => target(reference([alias, name])));
  const write = (insert: InsertNode) => {
    const tree = { InsertStmt: insert };
    return rewriteWrite(new StatementContext(source, tree), tree);
  };
  const image = write({ ...node, returningClause: { exprs: stored } });
  if (image.kind === 'reject') return image;
  const result = addImage(source, node, names);
  if (typeof result !== 'string') return result;
  const { withClause: _, ...others } = node;
  const copy = write({
    ...others,
    ...conflictOf(node, names, relation),
    cols: names.map((name) => ({ ResTarget: { name } })),
    override: 'OVERRIDING_SYSTEM_VALUE',
    selectStmt: {
      SelectStmt: {
        ...plainSelect,
        targetList: names.map((name) => target(reference([name]))),
        fromClause: [resultRead(result)],
      },
    },
  });
  if (copy.kind === 'reject') return copy;
  return {
    kind: 'write',
    before: [],
    intermediate: source.results.plans,
    isUnconditional: false,
    returnsRows: node.returningClause !== undefined,
    changesRows: true,
    step: {
      kind: 'new-copies',
      tables: [fullName(relation)],
      image: writeRoute(image),
      route: writeRoute(copy),
    },
  };
}

function addImage(
  source: StatementSource,
  { relation }: InsertNode,
  names: readonly string[],
): string | Reject {
  const { alias: _, ...unnamed } = relation ?? {};
  const select = {
    ...plainSelect,
    targetList: names.map((name) => target(reference([name]))),
    fromClause: [{ RangeVar: { ...unnamed, inh: true } }],
  };
  const context = new StatementContext(source, { SelectStmt: select });
  const whole: ShardQuery | Reject = rewriteQuery(context, select);
  if (whole.kind === 'reject') return whole;
  const multi = refuse('an image is made by the write itself');
  const routing = { kind: 'any' } as const;
  return source.results.add(
    { columns: names, advances: false, routing, whole, multi },
    names.map(plainColumn),
  );
}

/** The other copies could not find the row by its old value. */
function foundBy({ name: table }: RelationSchema, column: string) {
  return refusal(
    `ON CONFLICT ... SET of "${column}" of reference table "${table}" is not supported`,
    'Leave out of SET what conflicts are found by, or use UPDATE.',
  );
}

/** A row that was there already is made what it has become on the first shard. */
function conflictOf(
  { onConflictClause: conflict }: InsertNode,
  names: readonly string[],
  relation: RelationSchema,
): Pick<InsertNode, 'onConflictClause'> {
  if (conflict?.action !== 'ONCONFLICT_UPDATE') return {};
  const { whereClause: _, ...others } = conflict;
  const inferred = (conflict.infer?.indexElems ?? []).map((element) =>
    'IndexElem' in element ? element.IndexElem.name : undefined,
  );
  const isByColumns = inferred.length > 0 && !inferred.includes(undefined);
  const finding = new Set(isByColumns ? inferred : relation.uniqueKeys.flat());
  for (const assignment of conflict.targetList ?? []) {
    const name = 'ResTarget' in assignment ? (assignment.ResTarget.name ?? '') : '';
    if (finding.has(name)) throw foundBy(relation, name);
  }
  const settable = names.filter(
    (name) => relation.columns.find((column) => column.name === name)?.isIdentityAlways !== true,
  );
  const targetList = settable.map(
    (name): SqlNode => ({ ResTarget: { name, val: reference(['excluded', name]) } }),
  );
  return { onConflictClause: { ...others, targetList } };
}
