import type { SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import { tagOf } from '../sql/walk.ts';

const unnamed = '?column?';

/** The name that PostgreSQL gives a result column without AS (FigureColname in parse_target.c). */
export function columnName(node: SqlNode): string {
  return strongName(node) ?? weakName(node) ?? unnamed;
}

function strongName(node: SqlNode): string | null {
  if ('ColumnRef' in node) return lastOf(node.ColumnRef.fields);
  if ('FuncCall' in node) return lastOf(node.FuncCall.funcname);
  if ('CollateClause' in node) return inner(node.CollateClause.arg, strongName);
  if ('A_Indirection' in node) {
    const names = (node.A_Indirection.indirection ?? []).flatMap((part) =>
      'String' in part ? [part.String.sval ?? ''] : [],
    );
    return names[names.length - 1] ?? inner(node.A_Indirection.arg, strongName);
  }
  if ('TypeCast' in node) return inner(node.TypeCast.arg, strongName);
  if ('A_Expr' in node) return node.A_Expr.kind === 'AEXPR_NULLIF' ? 'nullif' : null;
  if ('CaseExpr' in node) return inner(node.CaseExpr.defresult, strongName);
  if ('CoalesceExpr' in node) return 'coalesce';
  if ('GroupingFunc' in node) return 'grouping';
  if ('MinMaxExpr' in node) return node.MinMaxExpr.op === 'IS_LEAST' ? 'least' : 'greatest';
  if ('A_ArrayExpr' in node) return 'array';
  if ('RowExpr' in node) return 'row';
  if ('SubLink' in node) return subLinkName(node);
  if ('SQLValueFunction' in node) return wordOf(node.SQLValueFunction.op, 'SVFOP_');
  if ('JsonFuncExpr' in node) return wordOf(node.JsonFuncExpr.op, '');
  if ('XmlExpr' in node) {
    return node.XmlExpr.op === 'IS_DOCUMENT' ? null : wordOf(node.XmlExpr.op, 'IS_');
  }
  return standardNames[tagOf(node)] ?? null;
}

const standardNames: { readonly [tag: string]: string } = {
  XmlSerialize: 'xmlserialize',
  JsonParseExpr: 'json',
  JsonScalarExpr: 'json_scalar',
  JsonSerializeExpr: 'json_serialize',
  JsonObjectConstructor: 'json_object',
  JsonArrayConstructor: 'json_array',
  JsonArrayQueryConstructor: 'json_array',
  JsonObjectAgg: 'json_objectagg',
  JsonArrayAgg: 'json_arrayagg',
};

/** `SVFOP_CURRENT_TIME_N`, `JSON_VALUE_OP`: the word in it, as it is written in SQL. */
function wordOf(op: string | undefined, prefix: string): string | null {
  if (op === undefined) return null;
  return op
    .slice(prefix.length)
    .replace(/_(?:N|OP)$/, '')
    .toLowerCase();
}

function subLinkName(node: Extract<SqlNode, { SubLink: unknown }>): string | null {
  const { subLinkType, subselect } = node.SubLink;
  if (subLinkType === 'EXISTS_SUBLINK') return 'exists';
  if (subLinkType === 'ARRAY_SUBLINK') return 'array';
  if (subLinkType !== 'EXPR_SUBLINK' || subselect === undefined) return null;
  const first = 'SelectStmt' in subselect ? subselect.SelectStmt.targetList?.[0] : undefined;
  if (first === undefined || !('ResTarget' in first)) return null;
  return first.ResTarget.name ?? inner(first.ResTarget.val, columnName);
}

function weakName(node: SqlNode): string | null {
  if ('TypeCast' in node) {
    return inner(node.TypeCast.arg, weakName) ?? lastOf(node.TypeCast.typeName?.names);
  }
  return 'CaseExpr' in node ? 'case' : null;
}

function inner(node: SqlNode | undefined, name: (node: SqlNode) => string | null): string | null {
  return node === undefined ? null : name(node);
}

function lastOf(nodes: readonly SqlNode[] | undefined): string | null {
  const names = stringsOf(nodes);
  return names[names.length - 1] ?? null;
}
