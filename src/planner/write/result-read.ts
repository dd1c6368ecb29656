import type { SqlNode } from '../../sql/ast.ts';

/** An intermediate result as an element of FROM. */
export function resultRead(relname: string, aliasname?: string): SqlNode {
  const alias = aliasname === undefined ? {} : { alias: { aliasname } };
  return { RangeVar: { relname, inh: true, relpersistence: 'p', ...alias } };
}
