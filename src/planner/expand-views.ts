import type { SelectNode, SqlNode } from '../sql/ast.ts';
import { builtinName, stringsOf } from '../sql/names.ts';
import { walk } from '../sql/walk.ts';
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
    refuseTypeOfRow(select, context.views);
    current = analyze(context.source, expanded(select, context.views));
  }
  throw refusal('views are nested too deeply', 'Write the query of the view instead of its name.');
}

/** The row of a view's query is a record; of nothing else than its type can anybody tell. */
function refuseTypeOfRow(select: SelectNode, views: readonly ViewReference[]): void {
  const names = views.map(
    ({ node: { RangeVar } }) => RangeVar.alias?.aliasname ?? RangeVar.relname,
  );
  walk(select, (node) => {
    if (!('FuncCall' in node) || builtinName(node.FuncCall.funcname) !== 'pg_typeof') return true;
    const [argument] = node.FuncCall.args ?? [];
    const [name, ...more] =
      argument !== undefined && 'ColumnRef' in argument ? stringsOf(argument.ColumnRef.fields) : [];
    if (more.length === 0 && names.includes(name)) {
      throw refusal('pg_typeof of the row of a view over distributed tables', 'Name its columns.');
    }
    return true;
  });
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
