import { unreachable } from '../base/assert.ts';
import type { SqlNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import type { Plan } from './plan.ts';
import type { Leftovers } from './schema.ts';

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
    case 'recalled':
    case 'empty':
    case 'reject':
      return plan;
    default:
      return unreachable(plan);
  }
}

function mayCall(statement: SqlNode): boolean {
  return ['CreateTableAsStmt', 'CopyStmt', 'CallStmt', 'DoStmt'].some((tag) => tag in statement);
}

/**
 * Functions, operators, types, and columns: `row.name` and `(row).name` call a function of the name if the
 * row has no such column (manual, 8.16.5).
 */
const namedFields = new Set(['funcname', 'name', 'names', 'fields', 'indirection']);

/** Tables stand in statements with and without the tag of their node. */
function namesAny(value: unknown, names: ReadonlySet<string>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some((each) => namesAny(each, names));
  for (const [field, child] of Object.entries(value)) {
    if (field === 'relname' && typeof child === 'string' && names.has(child.toLowerCase())) {
      return true;
    }
    // The body of DO, as text.
    if (
      field === 'DoStmt' &&
      wordsOf(JSON.stringify(child).replaceAll(/\\[nrt]/g, ' ')).some((word) => names.has(word))
    ) {
      return true;
    }
    if (namedFields.has(field)) {
      const last = lastOf(child);
      if (last !== null && names.has(last.toLowerCase())) return true;
    }
    if (namesAny(child, names)) return true;
  }
  return false;
}

function wordsOf(text: string): readonly string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}_$]+/gu) ?? [];
}

/** The last part of a name that is a list of strings. */
function lastOf(value: unknown): string | null {
  if (!Array.isArray(value)) return null;
  const isName = value.every((part: unknown) => Object(part) === part && 'String' in Object(part));
  return isName ? (stringsOf(value).at(-1) ?? null) : null;
}
