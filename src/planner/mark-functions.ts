import type { FunctionCallNode, UserFunction } from '../sql/ast.ts';
import { builtinName, stringsOf } from '../sql/names.ts';
import { walk } from '../sql/walk.ts';
import { harmlessFunctions } from './builtin-functions.ts';
import type { Schema } from './schema.ts';

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
      const userFunction = userFunctionOf(call, schema, searchPath);
      if (userFunction !== null) copy['FuncCall'] = { ...call, userFunction };
    }
    return copy;
  };
  let hasSome = false;
  if (schema.hasFunctions) {
    walk(tree, (node) => {
      hasSome ||= 'FuncCall' in node && userFunctionOf(node.FuncCall, schema, searchPath) !== null;
      return !hasSome;
    });
  }
  return hasSome ? (marked(tree) as Tree) : tree;
}

/** null: it is PostgreSQL's own, or there is none. Arguments could tell more; names are enough. */
function userFunctionOf(
  call: FunctionCallNode,
  schema: Schema,
  searchPath: readonly string[],
): UserFunction | null {
  const names = stringsOf(call.funcname);
  const name = names.at(-1) ?? '';
  const qualifier = names.length > 1 ? (names.at(-2) ?? null) : null;
  const [first, ...others] = schema.functions(qualifier, name, searchPath);
  if (first === undefined) return null;
  const candidates = [first, ...others];
  const isOwn = qualifier === null && harmlessFunctions.has(builtinName(call.funcname) ?? '');
  if (!candidates.every(({ isImmutable }) => isImmutable)) return 'unknown';
  if (isOwn) return null;
  // One of PostgreSQL's may be meant of which nothing is known.
  if (qualifier === null && candidates.some(({ isBuiltinName }) => isBuiltinName)) return 'unknown';
  if (first.kind === 'other' || others.some(({ kind }) => kind !== first.kind)) return 'unknown';
  return first.kind;
}
