import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { clockWord } from '../../sql/lexer.ts';
import { builtinName } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import { columnName } from '../column-name.ts';
import { reference } from '../outputs.ts';
import { sameExpression } from '../same-expression.ts';
import { plainSelect, target } from '../tree-builders.ts';
import { replaceNodes } from './replace-nodes.ts';
import { resultRead } from './result-read.ts';

/**
 * Values that are the same throughout a statement but not on every server: now() for one
 * (STABLE in pg_proc). They are asked for once and travel as an intermediate result of one row.
 */
export type StableValues = {
  /** `SELECT value AS value_1, ...` */
  readonly select: SelectNode;
  readonly columns: readonly string[];
  /** The statement with the values read from the result of that name. */
  replace(resultName: string): SelectNode;
};

export const stableFunctions = new Set(
  (
    'now transaction_timestamp statement_timestamp current_setting current_schema ' +
    'current_schemas current_database version'
  ).split(' '),
);

/** null: there is none in the statement. */
export function stableValues(select: SelectNode): StableValues | null {
  const found = stableIn({ SelectStmt: select });
  const different = found.filter(
    (node, index) => found.findIndex((other) => sameExpression(other, node)) === index,
  );
  if (different.length === 0) return null;
  const columns = different.map((_, index) => `value_${index + 1}`);
  return {
    columns,
    select: {
      ...plainSelect,
      targetList: different.map((value, index) => target(value, columns[index])),
    },
    replace(resultName) {
      const replacements = new Map<object, unknown>();
      for (const node of found) {
        const index = different.findIndex((other) => sameExpression(other, node));
        replacements.set(node, valueRead(resultName, columns[index] ?? ''));
      }
      return withNamesKept(select, replacements);
    },
  };
}

/** The calls, and their kin, that are such values. */
export function stableIn(tree: SqlNode): readonly SqlNode[] {
  const found: SqlNode[] = [];
  walk(tree, (node) => {
    if (!isStable(node)) return true;
    found.push(node);
    return false;
  });
  return found;
}

function isStable(node: SqlNode): boolean {
  if ('SQLValueFunction' in node) return true;
  if ('TypeCast' in node) return clockWord.test(castString(node));
  if (!('FuncCall' in node)) return false;
  const { funcname, args = [] } = node.FuncCall;
  return stableFunctions.has(builtinName(funcname) ?? '') && args.every(isPlainValue);
}

/** What is cast, if need be again: `('now'::text)::date` is the day of today. */
function castString(node: SqlNode | undefined): string {
  if (node === undefined) return '';
  if ('TypeCast' in node) return castString(node.TypeCast.arg);
  return 'A_Const' in node ? (node.A_Const.sval?.sval ?? '') : '';
}

function isPlainValue(node: SqlNode): boolean {
  return 'ParamRef' in node || 'A_Const' in node;
}

function valueRead(resultName: string, column: string): SqlNode {
  const subselect: SqlNode = {
    SelectStmt: {
      ...plainSelect,
      targetList: [target(reference([column]))],
      fromClause: [resultRead(resultName)],
    },
  };
  return { SubLink: { subLinkType: 'EXPR_SUBLINK', subselect } };
}

/** Result columns without AS are called after their expressions. */
function withNamesKept(select: SelectNode, replacements: ReadonlyMap<object, unknown>): SelectNode {
  const named = new Map<object, unknown>();
  walk({ SelectStmt: select }, (node) => {
    if (!('ResTarget' in node) || node.ResTarget.name !== undefined) return true;
    const { val } = node.ResTarget;
    const changed = val === undefined ? undefined : replaceNodes(val, replacements);
    if (val === undefined || changed === undefined || changed === val) return true;
    if (columnName(changed) !== columnName(val)) {
      named.set(node.ResTarget, { ...node.ResTarget, name: columnName(val) });
    }
    return true;
  });
  // First the names: what they replace still holds the objects that are replaced next.
  return replaceNodes(replaceNodes(select, named), replacements);
}
