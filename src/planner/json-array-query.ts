import type { SelectNode, SqlNode } from '../sql/ast.ts';
import { walk } from '../sql/walk.ts';
import { mapNodes } from './combine/map-nodes.ts';
import { starFields } from './outputs.ts';
import { refusal } from './refuse.ts';
import { plainSelect } from './tree-builders.ts';

type ArrayQueryNode = Extract<SqlNode, { JsonArrayQueryConstructor: unknown }>;

/**
 * The statement with each `JSON_ARRAY(SELECT ...)` as the subquery that PostgreSQL itself makes of it
 * (transformJsonArrayQueryConstructor in parse_expr.c), so that its tables stand where those of other
 * subqueries do: `(SELECT JSON_ARRAYAGG(a) FROM (SELECT ...) q(a))`. Throws 0A000 for a query of
 * tables of which it is not plain that it has one column, as it must have.
 */
export function plainArrayQueries(statement: SqlNode, fingerprint: string): SqlNode {
  return /json_array/i.test(fingerprint) ? replaced(statement) : statement;
}

function replaced<Tree>(tree: Tree): Tree {
  return mapNodes(tree, (node) =>
    'JsonArrayQueryConstructor' in node ? arraySubquery(node) : null,
  );
}

function arraySubquery(node: ArrayQueryNode): SqlNode | null {
  const { query, output, format, absent_on_null } = node.JsonArrayQueryConstructor;
  if (query === undefined || !('SelectStmt' in query)) return null;
  if (!hasOneColumn(query.SelectStmt)) {
    if (!readsTables(query)) return null;
    throw refusal('JSON_ARRAY of a query without one named column', 'Name its column.');
  }
  const aggregate: SqlNode = {
    JsonArrayAgg: {
      constructor: { ...(output === undefined ? {} : { output }) },
      arg: {
        raw_expr: { ColumnRef: { fields: [{ String: { sval: 'a' } }] } },
        ...(format === undefined ? {} : { format }),
      },
      ...(absent_on_null === undefined ? {} : { absent_on_null }),
    },
  };
  const rows: SqlNode = {
    RangeSubselect: {
      subquery: replaced(query),
      alias: { aliasname: 'q', colnames: [{ String: { sval: 'a' } }] },
    },
  };
  const select: SelectNode = {
    ...plainSelect,
    // The name that the constructor gives to a column.
    targetList: [{ ResTarget: { name: 'json_array', val: aggregate } }],
    fromClause: [rows],
  };
  return { SubLink: { subLinkType: 'EXPR_SUBLINK', subselect: { SelectStmt: select } } };
}

function readsTables(query: SqlNode): boolean {
  let found = false;
  walk(query, (node) => {
    if ('RangeVar' in node) found = true;
    return !found;
  });
  return found;
}

function hasOneColumn(select: SelectNode): boolean {
  if (select.larg !== undefined) return hasOneColumn(select.larg);
  const [first, ...more] = select.targetList ?? [];
  if (first === undefined || more.length > 0 || !('ResTarget' in first)) return false;
  const { val } = first.ResTarget;
  if (val === undefined || starFields(val) !== null) return false;
  const field = 'A_Indirection' in val ? val.A_Indirection.indirection?.at(-1) : undefined;
  return field === undefined || !('A_Star' in field);
}
