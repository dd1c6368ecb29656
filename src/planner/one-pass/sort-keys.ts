import type { SqlNode } from '../../sql/ast.ts';
import {
  collationOf,
  columnTypeOf,
  isText,
  readsNondeterministic,
} from '../expression-collation.ts';
import { simpleTypeName } from '../keys/key-operand.ts';
import type { SortKey } from '../plan.ts';
import { refusal } from '../refuse.ts';
import { expressionText } from '../rewrite-query.ts';
import type { Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';
import { cast, inByteOrder } from '../tree-builders.ts';
import { isWholeRow } from '../whole-row.ts';
import { mayBeText } from './may-be-text.ts';

/** A column to add to the shards' queries so that the proxy can compare rows, and how. */
export type KeyColumn = {
  readonly expression: SqlNode;
  readonly key: Omit<SortKey, 'column'>;
};

export type Direction = { readonly descending: boolean; readonly nullsFirst: boolean };

export const ascending: Direction = { descending: false, nullsFirst: false };

/** Throws for ORDER BY ... USING. */
export function directionOf(node: SqlNode): Direction {
  const { sortby_dir, sortby_nulls } = 'SortBy' in node ? node.SortBy : {};
  if (sortby_dir === 'SORTBY_USING') {
    throw refusal('ORDER BY ... USING is not supported across shards', 'Use ASC or DESC.');
  }
  const descending = sortby_dir === 'SORTBY_DESC';
  if (sortby_nulls === 'SORTBY_NULLS_FIRST') return { descending, nullsFirst: true };
  if (sortby_nulls === 'SORTBY_NULLS_LAST') return { descending, nullsFirst: false };
  return { descending, nullsFirst: descending };
}

/** For an order that the client sees. Throws where the proxy cannot reproduce it. */
export function orderKey(
  context: StatementContext,
  scope: Scope,
  expression: SqlNode,
  direction: Direction,
): KeyColumn {
  const collation = collationOf(context.schema, scope, expression);
  const label = expressionText(expression);
  refuseOrderOfServers(scope, expression);
  if (collation === 'unknown') refuseText(context, scope, expression);
  if (collation === 'linguistic' || collation === 'nondeterministic') {
    throw refusal(
      `ordering by ${label} over several shards: its collation is not byte order`,
      `Write ${label} COLLATE "C", or restrict the statement to one key.`,
    );
  }
  return {
    expression: withoutPadding(scope, expression),
    key: { ...direction, collation: collation === 'c' ? 'c' : 'unknown', label },
  };
}

/**
 * For bringing equal values together, in whatever order: text goes by its bytes, which any
 * deterministic collation compares as equal exactly when they are.
 */
export function groupKey(context: StatementContext, scope: Scope, expression: SqlNode): KeyColumn {
  const { schema } = context;
  const label = expressionText(expression);
  if (readsNondeterministic(schema, scope, expression)) {
    throw refusal(
      `grouping by ${label} over several shards: its collation is not deterministic`,
      'Restrict the statement to one key.',
    );
  }
  refuseOrderOfServers(scope, expression);
  const collation = collationOf(schema, scope, expression);
  if (isText(scope, expression)) {
    const bytes = inByteOrder(withoutPadding(scope, expression));
    return { expression: bytes, key: { ...ascending, collation: 'c', label } };
  }
  if (collation === 'unknown') refuseText(context, scope, expression);
  const known = collation === 'c' ? 'c' : 'unknown';
  return { expression, key: { ...ascending, collation: known, label } };
}

/** pg_type.typname of what the proxy can compare, but for what turns out at run time. */
const comparedHere = new Set(
  (
    'bool bytea char name int8 int2 int4 text oid float4 float8 macaddr8 money macaddr bpchar ' +
    'varchar date time timestamp timestamptz interval timetz numeric uuid pg_lsn'
  ).split(' '),
);

function refuseOrderOfServers(scope: Scope, expression: SqlNode): void {
  if ('RowExpr' in expression || isWholeRow(scope, expression)) {
    throw refusal(
      `ordering by ${expressionText(expression)} over several shards: only a server compares rows`,
      'Order by the fields one by one, or restrict the statement to one key.',
    );
  }
  const type = valuesOf(expression)
    .map((value) => typeName(scope, value))
    .find((name) => name !== null && !comparedHere.has(name));
  if (type === undefined) return;
  const label = expressionText(expression);
  throw refusal(
    `ordering by ${label} over several shards: only a server compares values of type ${type}`,
    'Order by its text, or restrict the statement to one key.',
  );
}

function typeName(scope: Scope, expression: SqlNode): string | null {
  const cast = 'TypeCast' in expression ? simpleTypeName(expression.TypeCast.typeName) : null;
  return cast ?? columnTypeOf(scope, expression);
}

/** The expressions one of which gives the value of this one. */
function valuesOf(node: SqlNode | undefined): readonly SqlNode[] {
  if (node === undefined) return [];
  if ('CoalesceExpr' in node) return (node.CoalesceExpr.args ?? []).flatMap(valuesOf);
  if ('MinMaxExpr' in node) return (node.MinMaxExpr.args ?? []).flatMap(valuesOf);
  if ('A_Expr' in node && node.A_Expr.kind === 'AEXPR_NULLIF') return valuesOf(node.A_Expr.lexpr);
  if (!('CaseExpr' in node)) return [node];
  const { args = [], defresult } = node.CaseExpr;
  const results = args.map((when) => ('CaseWhen' in when ? when.CaseWhen.result : undefined));
  return [...results, defresult].flatMap(valuesOf);
}

/** What is probably text of no known collation is for PostgreSQL to order. */
function refuseText(context: StatementContext, scope: Scope, expression: SqlNode): void {
  if (!mayBeText(context, scope, expression)) return;
  const label = expressionText(expression);
  throw refusal(
    `ordering by ${label} over several shards: its collation is not known`,
    `Write ${label} COLLATE "C" if it is text, or restrict the statement to one key.`,
  );
}

/** char(n) compares without its blanks at the end; so does its conversion to text. */
function withoutPadding(scope: Scope, expression: SqlNode): SqlNode {
  return columnTypeOf(scope, expression) === 'bpchar' ? cast(expression, 'text') : expression;
}
