import type { SqlNode } from '../../sql/ast.ts';
import { walk } from '../../sql/walk.ts';
import type { Block } from '../block.ts';
import { resultRead } from '../intermediate/result-read.ts';
import { reference } from '../outputs.ts';
import { plainSelect, target, without } from '../tree-builders.ts';
import type { QueryParts } from './query-parts.ts';

/**
 * Each shard unites its own rows, and what is left of them is told apart once more: a union of unions
 * is one. null when its columns cannot be named.
 */
export function splitUnion({ body, columns, open }: Block, resultName: string): QueryParts | null {
  if (body.kind !== 'set-operation') return null;
  const { select } = body;
  const names = columns.map(({ name }) => name);
  if (open || names.length === 0 || new Set(names).size < names.length) return null;
  const above = [select.sortClause, select.limitCount, select.limitOffset];
  if (readsTables(above) || select.lockingClause !== undefined) return null;
  const { sortClause, limitCount, limitOffset, limitOption } = select;
  const distinctClause: SqlNode[] = [{} as SqlNode];
  return {
    partial: {
      ...without(select, 'sortClause', 'limitCount', 'limitOffset'),
      limitOption: plainSelect.limitOption,
    },
    columns: names,
    final: {
      ...plainSelect,
      distinctClause,
      targetList: names.map((name) => target(reference([name]))),
      fromClause: [resultRead(resultName)],
      ...(sortClause === undefined ? {} : { sortClause }),
      ...(limitCount === undefined ? {} : { limitCount }),
      ...(limitOffset === undefined ? {} : { limitOffset }),
      ...(limitOption === undefined ? {} : { limitOption }),
    },
  };
}

function readsTables(clauses: unknown): boolean {
  let found = false;
  walk(clauses, (node) => {
    if ('SubLink' in node) found = true;
    return !found;
  });
  return found;
}
