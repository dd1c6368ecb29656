import type { SelectNode, SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import { type Analysis, analyze } from './analysis.ts';
import { replaceNodes } from './intermediate/replace-nodes.ts';
import { refusal } from './refuse.ts';
import type { ViewReference } from './statement-context.ts';

const levelsMax = 50;

/** The statement with the queries of sharded views in the places of their names. */
export function expandViews(analysis: Analysis): Analysis {
  let current = analysis;
  for (let level = 0; level < levelsMax; level += 1) {
    const { context, select } = current;
    if (context.views.length === 0) return current;
    current = analyze(context.source, expanded(select, context.views));
  }
  throw refusal('views are nested too deeply', 'Write the query of the view instead of its name.');
}

function expanded(select: SelectNode, views: readonly ViewReference[]): SelectNode {
  const replacements = new Map<object, unknown>();
  for (const { node, query, relation } of views) {
    const { alias, relname } = node.RangeVar;
    const given = stringsOf(alias?.colnames);
    const names = relation.columns.map((column, index) => given[index] ?? column.name);
    const subselect: SqlNode = {
      RangeSubselect: {
        subquery: { SelectStmt: query },
        alias: {
          aliasname: alias?.aliasname ?? relname ?? '',
          colnames: names.map((sval) => ({ String: { sval } })),
        },
      },
    };
    replacements.set(node, subselect);
  }
  return replaceNodes(select, replacements);
}
