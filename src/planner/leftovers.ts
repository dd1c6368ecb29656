import { unreachable } from '../base/assert.ts';
import type { SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import type { Plan } from './plan.ts';

/**
 * What may leave something in the session of the server that it runs on: SET, a temporary table, a
 * session lock. Names only, in lower case and without schemas, because too many cost time, not truth.
 */
export type Leftovers = {
  /** Of users' functions and operators, and of relations whose triggers, defaults and so on call such. */
  readonly names: ReadonlySet<string>;
  /** Parameters with a dot in their names that such functions speak of: no server can list those. */
  readonly settings: readonly string[];
};

/** The plan, which says so when running `statement` may leave something. */
export function withLeftovers(plan: Plan, statement: SqlNode, { names }: Leftovers): Plan {
  if (names.size === 0 || !namesAny(statement, names)) return plan;
  switch (plan.kind) {
    case 'select':
      return { ...plan, readOnly: false, leaves: true };
    case 'modify':
    case 'copy':
    case 'explain':
      return { ...plan, leaves: true };
    case 'utility':
      // Other DDL calls hardly anything, and some of it cannot be in a block.
      return mayCall(statement) ? { ...plan, leaves: true } : plan;
    case 'cursor':
      return plan.command.kind === 'declare' ? { ...plan, leaves: true } : plan;
    case 'transaction':
    case 'setting':
    case 'prepared':
    case 'empty':
    case 'reject':
      return plan;
    default:
      return unreachable(plan);
  }
}

function mayCall(statement: SqlNode): boolean {
  return 'CreateTableAsStmt' in statement || 'CopyStmt' in statement;
}

/** Tables stand in statements with and without the tag of their node. */
function namesAny(value: unknown, names: ReadonlySet<string>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some((each) => namesAny(each, names));
  for (const [field, child] of Object.entries(value)) {
    if (field === 'relname' && typeof child === 'string' && names.has(child.toLowerCase())) {
      return true;
    }
    if (field === 'funcname' || field === 'name') {
      const last = lastOf(child);
      if (last !== null && names.has(last.toLowerCase())) return true;
    }
    if (namesAny(child, names)) return true;
  }
  return false;
}

/** The last part of a name that is a list of strings. */
function lastOf(value: unknown): string | null {
  if (!Array.isArray(value)) return null;
  const isName = value.every((part: unknown) => Object(part) === part && 'String' in Object(part));
  return isName ? (stringsOf(value).at(-1) ?? null) : null;
}
