import type { FunctionCallNode, UserFunction } from '../sql/ast.ts';
import { builtinName, stringsOf } from '../sql/names.ts';
import { walk } from '../sql/walk.ts';
import {
  aggregateFunctions,
  harmlessFunctions,
  orderedAggregateFunctions,
  scalarFunctions,
  setReturningFunctions,
} from './builtin-functions.ts';
import type { FunctionSchema, Schema } from './schema.ts';

/** The same tree, with calls of functions that users or extensions made marked as such. */
export function markFunctions<Tree>(
  tree: Tree,
  schema: Schema,
  searchPath: readonly string[],
): Tree {
  const marked = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(marked);
    const copy: { [field: string]: unknown } = {};
    for (const [field, child] of Object.entries(value)) copy[field] = marked(child);
    if ('FuncCall' in value) {
      const call = copy['FuncCall'] as FunctionCallNode;
      const marks = marksOf(call, schema, searchPath);
      if (marks !== null) copy['FuncCall'] = { ...call, ...marks };
    }
    return copy;
  };
  let hasSome = false;
  if (schema.hasFunctions) {
    walk(tree, (node) => {
      hasSome ||= 'FuncCall' in node && marksOf(node.FuncCall, schema, searchPath) !== null;
      return !hasSome;
    });
  }
  return hasSome ? (marked(tree) as Tree) : tree;
}

type Marks = Pick<FunctionCallNode, 'userFunction' | 'readsReference'>;

/** null: it is PostgreSQL's own, or there is none. Arguments could tell more; names are enough. */
function marksOf(
  call: FunctionCallNode,
  schema: Schema,
  searchPath: readonly string[],
): Marks | null {
  const names = stringsOf(call.funcname);
  const name = names.at(-1) ?? '';
  const qualifier = names.length > 1 ? (names.at(-2) ?? null) : null;
  const candidates = schema.functions(qualifier, name, searchPath);
  if (candidates.length === 0) return null;
  const isKnown = candidates.every(({ isImmutable, isDeclared }) => isImmutable || isDeclared);
  if (!isKnown) return { userFunction: 'unknown' };
  const readsReference = candidates.some(({ isImmutable }) => !isImmutable);
  const reads = readsReference ? ({ readsReference } as const) : {};
  const userFunction =
    qualifier === null && harmlessFunctions.has(builtinName(call.funcname) ?? '')
      ? overloaded(call, name, candidates)
      : userFunctionOf(qualifier, candidates);
  if (userFunction === null) return readsReference ? reads : null;
  return { userFunction, ...reads };
}

function userFunctionOf(
  qualifier: string | null,
  candidates: readonly FunctionSchema[],
): UserFunction {
  const kinds = new Set(candidates.map(({ kind }) => (kind === 'extreme' ? 'aggregate' : kind)));
  const [kind = 'other', ...others] = kinds;
  // One of PostgreSQL's may be meant of which nothing is known.
  if (qualifier === null && candidates.some(({ isBuiltinName }) => isBuiltinName)) return 'unknown';
  return kind === 'other' || others.length > 0 ? 'unknown' : kind;
}

/** PostgreSQL's own function may be meant, or one of the others: what holds for both. */
function overloaded(
  call: FunctionCallNode,
  name: string,
  candidates: readonly FunctionSchema[],
): UserFunction | null {
  const are = (...kinds: readonly FunctionSchema['kind'][]) =>
    candidates.every(({ kind }) => kinds.includes(kind));
  if (candidates.some(({ isHidden }) => isHidden)) return 'unknown';
  if (aggregateFunctions.has(name)) {
    if (call.agg_star === true || are('extreme')) return null;
    return are('aggregate', 'extreme') ? 'aggregate' : 'unknown';
  }
  if (orderedAggregateFunctions.has(name)) return are('aggregate') ? 'aggregate' : 'unknown';
  if (setReturningFunctions.has(name)) return are('set') ? null : 'unknown';
  if (scalarFunctions.has(name)) return are('function') ? 'function' : 'unknown';
  return are('function') ? null : 'unknown';
}
