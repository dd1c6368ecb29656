import { assert } from '../../base/assert.ts';
import type { RangeVarNode, SelectNode, SqlNode } from '../../sql/ast.ts';
import { walk } from '../../sql/walk.ts';
import { resultRead } from '../intermediate/result-read.ts';
import { routingOf } from '../keys/routing-of.ts';
import { reference, starFields } from '../outputs.ts';
import type { MultiShardWrite, Reject, ShardQuery } from '../plan.ts';
import { refusal, refuse } from '../refuse.ts';
import { rewriteQuery, rewriteWrite } from '../rewrite-query.ts';
import type { RelationSchema } from '../schema.ts';
import { plainColumn } from '../scope.ts';
import { StatementContext, type StatementSource } from '../statement-context.ts';
import { hiddenPrefix, operator, plainSelect, target } from '../tree-builders.ts';
import type { WriteFacts } from '../written-table.ts';
import { writeRoute } from './write-route.ts';

const oneByOne = 'Delete the rows and insert them with their new keys.';

/** Where a row version lies within its server, as columns of the image. */
const places = [
  { name: `${hiddenPrefix}table`, column: 'tableoid' },
  { name: `${hiddenPrefix}place`, column: 'ctid' },
] as const;

/**
 * UPDATE that gives rows another key: done in place first, so that PostgreSQL computes and checks
 * the new rows, and tells which they are. Nobody else sees a row on the wrong shard, because all of
 * it is one transaction.
 */
export function planKeyChange(
  source: StatementSource,
  statement: SqlNode,
  facts: WriteFacts,
  context: StatementContext,
): MultiShardWrite | Reject {
  assert('UpdateStmt' in statement, 'only UPDATE changes a key');
  const { UpdateStmt: node } = statement;
  const { relation } = facts;
  assert(relation?.sharding.kind === 'distributed' && node.relation !== undefined, 'a key');
  if (relation.hasRowTriggers === true) {
    return refuse(
      `the key of "${relation.name}", which has triggers or is referred to by foreign keys, cannot be changed over several shards`,
      oneByOne,
    );
  }
  if (relation.referringColumns?.includes(relation.sharding.key) === true) {
    return refuse(
      `the key of "${relation.name}", which is part of a foreign key, cannot be changed over several shards`,
      oneByOne,
    );
  }
  const alias = node.relation.alias?.aliasname ?? node.relation.relname ?? '';
  const returned = node.returningClause?.exprs ?? [];
  const image = rewriteWrite(context, {
    UpdateStmt: { ...node, returningClause: { exprs: imageTargets(alias, relation) } },
  });
  if (image.kind === 'reject') return image;
  const { intermediate, names, result } = addImage(source, relation, node.relation, alias);
  const write = (tree: SqlNode) => orThrow(rewriteWrite(new StatementContext(source, tree), tree));
  return {
    kind: 'write',
    before: [],
    intermediate: intermediate(),
    isUnconditional: node.whereClause === undefined,
    returnsRows: returned.length > 0,
    changesRows: true,
    step: {
      kind: 'key-change',
      routing: routingOf(context),
      distribution: relation.sharding.distribution.name,
      image: writeRoute(image),
      keyColumn: names.indexOf(relation.sharding.key),
      removal: writeRoute(write(removalOf(node.relation, alias, result))),
      addition: writeRoute(write(additionOf(node.relation, relation, result))),
      returning:
        returned.length === 0
          ? null
          : writeRoute(
              returningOf(source, { returned, relation, alias, result, from: node.fromClause }),
            ),
    },
  };
}

/** The image is the last of the intermediate results. */
function addImage(
  source: StatementSource,
  relation: RelationSchema,
  node: RangeVarNode,
  alias: string,
) {
  const names = [...places.map(({ name }) => name), ...relation.columns.map(({ name }) => name)];
  const select: SelectNode = {
    ...plainSelect,
    targetList: imageTargets(alias, relation),
    fromClause: [{ RangeVar: node }],
  };
  const whole = orThrow(rewriteQuery(new StatementContext(source, { SelectStmt: select }), select));
  const multi = refuse('an image is made by the write itself');
  const routing = { kind: 'any' } as const;
  const columns = names.map(plainColumn);
  const result = source.results.add(
    { columns: names, advances: false, routing, whole, multi },
    columns,
  );
  return { intermediate: () => source.results.plans, names, result };
}

function imageTargets(alias: string, relation: RelationSchema): SqlNode[] {
  return [
    ...places.map(({ column }) => target(reference([alias, column]))),
    ...relation.columns.map(({ name }) => target(reference([alias, name]))),
  ];
}

function removalOf(relation: RangeVarNode, alias: string, result: string): SqlNode {
  const conditions = places.map(({ name, column }) =>
    operator('=', reference([alias, column]), reference([result, name])),
  );
  return {
    DeleteStmt: {
      relation,
      usingClause: [resultRead(result)],
      whereClause: { BoolExpr: { boolop: 'AND_EXPR', args: conditions } },
    },
  };
}

function additionOf(node: RangeVarNode, relation: RelationSchema, result: string): SqlNode {
  const names = relation.columns.filter((column) => column.isGenerated !== true).map(nameOf);
  const { alias: _, ...unnamed } = node;
  return {
    InsertStmt: {
      relation: { ...unnamed, inh: true },
      cols: names.map((name) => ({ ResTarget: { name } })),
      override: 'OVERRIDING_SYSTEM_VALUE',
      selectStmt: {
        SelectStmt: {
          ...plainSelect,
          targetList: names.map((name) => target(reference([name]))),
          fromClause: [resultRead(result)],
        },
      },
    },
  };
}

function nameOf({ name }: { readonly name: string }): string {
  return name;
}

type Returning = {
  readonly returned: readonly SqlNode[];
  readonly relation: RelationSchema;
  readonly alias: string;
  readonly result: string;
  readonly from: readonly SqlNode[] | undefined;
};

/** What RETURNING gives is computed from the new rows alone. */
function returningOf(source: StatementSource, parts: Returning): ShardQuery {
  const { returned, relation, alias, result, from } = parts;
  if ((from ?? []).length > 0) {
    throw refusal('RETURNING of an UPDATE of the key FROM other tables', 'Leave out RETURNING.');
  }
  walk(returned, (node) => {
    if ('SubLink' in node)
      throw refusal('a subquery in RETURNING of an UPDATE of the key', oneByOne);
    if ('ColumnRef' in node && starFields(node) === null) mustBeColumn(node, relation, alias);
    return true;
  });
  const targetList = returned.flatMap((node) => {
    const value = 'ResTarget' in node ? node.ResTarget.val : undefined;
    if (value === undefined || starFields(value) === null) return [node];
    return relation.columns.map(({ name }) => target(reference([alias, name])));
  });
  const select: SelectNode = {
    ...plainSelect,
    targetList,
    fromClause: [resultRead(result, alias)],
  };
  return orThrow(rewriteQuery(new StatementContext(source, { SelectStmt: select }), select));
}

/** Not `old.name`, a system column, or the whole row. */
function mustBeColumn(node: SqlNode, relation: RelationSchema, alias: string): void {
  const fields = 'ColumnRef' in node ? (node.ColumnRef.fields ?? []) : [];
  const names = fields.map((field) => ('String' in field ? (field.String.sval ?? '') : ''));
  const [first = '', second] = names;
  const column = second ?? first;
  const isOwn = names.length === 1 || (names.length === 2 && first === alias);
  if (isOwn && relation.columns.some(({ name }) => name === column)) return;
  throw refusal(`"${names.join('.')}" in RETURNING of an UPDATE of the key`, oneByOne);
}

function orThrow(query: ShardQuery | Reject): ShardQuery {
  if (query.kind === 'reject') throw refusal(query.message, query.hint ?? '');
  return query;
}
