import type { AliasNode, SqlNode } from '../sql/ast.ts';

/** JSON_TABLE or XMLTABLE in FROM: rows that are computed from expressions. */
export type TableExpression = {
  readonly alias: AliasNode;
  readonly columnNames: readonly string[];
};

/** null for every other element of FROM. Without an alias they are called as the grammar calls them. */
export function tableExpression(node: SqlNode): TableExpression | null {
  if ('JsonTable' in node) {
    const { alias = { aliasname: 'json_table' }, columns = [] } = node.JsonTable;
    return { alias, columnNames: jsonColumnNames(columns) };
  }
  if (!('RangeTableFunc' in node)) return null;
  const { alias = { aliasname: 'xmltable' }, columns = [] } = node.RangeTableFunc;
  const columnNames = columns.map((column) =>
    'RangeTableFuncCol' in column ? (column.RangeTableFuncCol.colname ?? '') : '',
  );
  return { alias, columnNames };
}

/** Those of nested paths come after a path's own (transformJsonTableColumns in parse_jsontable.c). */
function jsonColumnNames(nodes: readonly SqlNode[]): readonly string[] {
  const columns = nodes.flatMap((node) =>
    'JsonTableColumn' in node ? [node.JsonTableColumn] : [],
  );
  const isNested = ({ coltype }: (typeof columns)[number]) => coltype === 'JTC_NESTED';
  return [
    ...columns.filter((column) => !isNested(column)).map(({ name = '' }) => name),
    ...columns.filter(isNested).flatMap((nested) => jsonColumnNames(nested.columns ?? [])),
  ];
}
