import type { RangeVarNode, SqlNode } from '../../sql/ast.ts';

/** The name of an intermediate result where a table's could stand. */
export function resultTable(relname: string, aliasname?: string): RangeVarNode {
  const alias = aliasname === undefined ? {} : { alias: { aliasname } };
  return { relname, inh: true, relpersistence: 'p', ...alias };
}

/** The same as an element of FROM. */
export function resultRead(relname: string, aliasname?: string): SqlNode {
  return { RangeVar: resultTable(relname, aliasname) };
}
