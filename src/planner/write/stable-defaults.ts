import { assert } from '../../base/assert.ts';
import type { InsertNode, SelectNode, SqlNode, TargetNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import { insertedNames } from '../analyze-write.ts';
import { deterministicFunctions } from '../builtin-functions.ts';
import { stableFunctions, stableIn } from '../intermediate/stable-values.ts';
import { reference } from '../outputs.ts';
import { refusal } from '../refuse.ts';
import { valueName } from '../rewrite-query.ts';
import type { RelationSchema } from '../schema.ts';
import type { StatementSource } from '../statement-context.ts';
import { target } from '../tree-builders.ts';
import { computedValues } from './computed-values.ts';
import { expressionOf, selectOf } from './given-defaults.ts';

/** A column whose default, such as now(), is one value for all rows of a statement. */
export type StableDefault = { readonly name: string; readonly value: SqlNode };

/**
 * The columns of the table with such a default, but for `given`, each with what stands for its value
 * in the shards' texts: it is computed once, since every shard has a time of its own.
 */
function stableDefaults(
  source: StatementSource,
  { columns }: RelationSchema,
  given: ReadonlySet<string | undefined>,
): readonly StableDefault[] {
  const found = columns.flatMap(({ name, default: text }) => {
    const expression = given.has(name) || text === undefined ? null : expressionOf(text);
    return expression !== null && varianceOf(expression) === 'statement'
      ? [{ name, expression }]
      : [];
  });
  const places = computedValues(
    source,
    found.map(({ expression }) => expression),
  );
  return found.flatMap(({ name, expression }) => {
    const place = places.get(expression);
    return place === undefined ? [] : [{ name, value: reference([valueName(place)]) }];
  });
}

/** Rows of VALUES, all of the same length, with these values where they say DEFAULT or nothing. */
export function withStableValuesListed(
  source: StatementSource,
  relation: RelationSchema,
  node: InsertNode,
): InsertNode {
  const rows = (selectOf(node).valuesLists ?? []).map((row) =>
    'List' in row ? (row.List.items ?? []) : [],
  );
  const names = insertedNames(relation, node).slice(0, rows[0]?.length ?? 0);
  const isDefault = (index: number) =>
    rows.some((row) => {
      const item = row[index];
      return item !== undefined && 'SetToDefault' in item;
    });
  const given = new Set(names.filter((_, index) => !isDefault(index)));
  const defaults = stableDefaults(source, relation, given);
  if (defaults.length === 0) return node;
  const missing = defaults.filter(({ name }) => !names.includes(name));
  const inPlace = names.map((name) => defaults.find((each) => each.name === name)?.value);
  const valuesLists = rows.map((row): SqlNode => {
    const items = row.map((item, index) =>
      'SetToDefault' in item ? (inPlace[index] ?? item) : item,
    );
    return { List: { items: [...items, ...missing.map(({ value }) => value)] } };
  });
  return {
    ...node,
    cols: columnsWith(node, names, missing),
    selectStmt: { SelectStmt: { ...selectOf(node), valuesLists } },
  };
}

/** Makes them columns of the `count` that are selected; each row has the same. */
export function stableValuesSelected(
  source: StatementSource,
  relation: RelationSchema,
  node: InsertNode,
  count: number,
): ((selecting: InsertNode) => InsertNode) | null {
  const names = insertedNames(relation, node).slice(0, count);
  const defaults = stableDefaults(source, relation, new Set(names));
  if (defaults.length === 0) return null;
  return (selecting) => {
    const rows: SelectNode = selectOf(selecting);
    const targetList = [...(rows.targetList ?? []), ...defaults.map(({ value }) => target(value))];
    return {
      ...selecting,
      cols: columnsWith(node, names, defaults),
      selectStmt: { SelectStmt: { ...rows, targetList } },
    };
  };
}

/**
 * Assignments of UPDATE or MERGE with such values where they say DEFAULT. The same list when there
 * is nothing to put in. Throws 0A000 where `isCopied` rows would come out different on each shard.
 */
export function withStableValuesAssigned(
  source: StatementSource,
  relation: RelationSchema,
  assignments: readonly SqlNode[],
  isCopied: boolean,
): readonly SqlNode[] {
  const plain = assignments.map(plainAssignment);
  const assigned = new Set(plain.filter(isDefaulted).map(({ name }) => name));
  const { columns, name: table } = relation;
  const differing = columns.find(
    ({ name, default: text }) =>
      isCopied &&
      assigned.has(name) &&
      text !== undefined &&
      varianceOf(expressionOf(text)) === 'row',
  );
  if (differing !== undefined) {
    throw refusal(
      `SET "${differing.name}" = DEFAULT of reference table "${table}", whose default may differ from row to row, is not supported`,
      'Give the value.',
    );
  }
  const others = columns.filter(({ name }) => !assigned.has(name)).map(({ name }) => name);
  const values = new Map(
    stableDefaults(source, relation, new Set(others)).map(({ name, value }) => [name, value]),
  );
  if (values.size === 0) return assignments;
  return plain.map((each): SqlNode => {
    const value = isDefaulted(each) ? values.get(each.name ?? '') : undefined;
    return { ResTarget: value === undefined ? each : { ...each, val: value } };
  });
}

function isDefaulted({ val }: TargetNode): boolean {
  return val !== undefined && 'SetToDefault' in val;
}

/** `(a, b) = (1, DEFAULT)` as `b = DEFAULT`, and `a = 1`. */
function plainAssignment(assignment: SqlNode): TargetNode {
  assert('ResTarget' in assignment, 'an assignment');
  const { ResTarget: each } = assignment;
  if (each.val === undefined || !('MultiAssignRef' in each.val)) return each;
  const { colno = 0, source } = each.val.MultiAssignRef;
  const items = source !== undefined && 'RowExpr' in source ? source.RowExpr.args : undefined;
  const val = items?.[colno - 1];
  return val === undefined ? each : { ...each, val };
}

function columnsWith(
  { cols }: InsertNode,
  names: readonly (string | undefined)[],
  more: readonly StableDefault[],
): SqlNode[] {
  const named = (name = ''): SqlNode => ({ ResTarget: { name } });
  return [...(cols ?? names.map(named)), ...more.map(({ name }) => named(name))];
}

/**
 * How the values of a default differ: `statement`, from statement to statement or from server to
 * server, but not from row to row; `row`: perhaps from row to row.
 */
export function varianceOf(expression: SqlNode | null): 'none' | 'statement' | 'row' {
  if (expression === null) return 'row';
  let isKnown = true;
  walk(expression, (node) => {
    const name = 'FuncCall' in node ? builtinName(node.FuncCall.funcname) : null;
    if (!('FuncCall' in node)) return true;
    if (name === null) isKnown = false;
    else if (!deterministicFunctions.has(name) && !stableFunctions.has(name)) isKnown = false;
    return isKnown;
  });
  if (!isKnown) return 'row';
  return stableIn(expression).length > 0 ? 'statement' : 'none';
}
