import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { walk } from '../../sql/walk.ts';
import type { Leaf } from '../leaf.ts';
import { reference } from '../outputs.ts';
import type { Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';
import { nullValue } from '../tree-builders.ts';
import { wholeRowItem } from '../whole-row.ts';

/**
 * A table's row is of the table's type, which the row of a result is not. Answers what stands for
 * each use of it: the row made anew of its fields, or NULL where an outer join has put none.
 */
export function wholeRowReferences(
  context: StatementContext,
  leaf: Leaf,
): ReadonlyMap<object, unknown> {
  const index = context.leaves.indexOf(leaf);
  const replacements = new Map<object, unknown>();
  const rowIn = (scope: Scope, node: SqlNode) =>
    wholeRowItem(scope, node)?.columns.some((column) => column.leaf === index) === true;
  for (const { select, block } of context.blocks) {
    if (block.body.kind !== 'select') continue;
    const { scope, outputs } = block.body;
    const outputNames = new Set(outputs?.map(({ column }) => column.name));
    walkOwn(select, (node) => {
      if ('ResTarget' in node) {
        const { val, name } = node.ResTarget;
        if (val === undefined || name !== undefined || !rowIn(scope, val)) return true;
        const named = { ...node.ResTarget, name: leaf.alias, val: rowOf(leaf) };
        replacements.set(node.ResTarget, named);
        return false;
      }
      if (rowIn(scope, node)) replacements.set(node, rowOf(leaf));
      return true;
    });
    // There a bare name is first that of a column of the result.
    for (const node of listed(select))
      if (namesOutput(node, outputNames)) replacements.delete(node);
  }
  return replacements;
}

/** Without the queries inside it, which are blocks of their own. */
function walkOwn(select: SelectNode, visit: (node: SqlNode) => boolean): void {
  walk(select, (node) => !('SelectStmt' in node) && visit(node));
}

function listed({ sortClause = [], groupClause = [], distinctClause = [] }: SelectNode) {
  const sorted = sortClause.flatMap((node) =>
    'SortBy' in node && node.SortBy.node !== undefined ? [node.SortBy.node] : [],
  );
  return [...sorted, ...groupClause, ...distinctClause];
}

function namesOutput(node: SqlNode, names: ReadonlySet<string>): boolean {
  if (!('ColumnRef' in node)) return false;
  const [field, ...more] = node.ColumnRef.fields ?? [];
  const name = field !== undefined && 'String' in field ? (field.String.sval ?? '') : '';
  return more.length === 0 && names.has(name);
}

function rowOf({ alias, columns, relation }: Leaf): SqlNode {
  const args = columns.map(({ name }) => reference([alias, name]));
  const names = [relation.schema, relation.name].map((sval) => ({ String: { sval } }));
  const isThere: SqlNode = {
    A_Expr: {
      kind: 'AEXPR_DISTINCT',
      name: [{ String: { sval: '=' } }],
      lexpr: reference([alias]),
      rexpr: nullValue,
    },
  };
  const row: SqlNode = {
    TypeCast: {
      arg: { RowExpr: { args, row_format: 'COERCE_EXPLICIT_CALL' } },
      typeName: { names, typemod: -1 },
    },
  };
  return { CaseExpr: { args: [{ CaseWhen: { expr: isThere, result: row } }] } };
}
