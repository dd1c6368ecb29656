import { deparseSync } from 'pgsql-deparser';
import type { SelectNode, SqlNode } from '../sql/ast.ts';
import { slotOf } from '../sql/bind-slots.ts';
import { parseStatement } from '../sql/parser.ts';
import type { ValueRef } from '../sql/statement.ts';
import type { Reject, ShardQuery } from './plan.ts';
import { refuse } from './refuse.ts';
import type { SelectTree } from './select-tree.ts';
import type { StatementContext } from './statement-context.ts';
import { hiddenPrefix } from './tree-builders.ts';

const slotPattern = /\$([12]\d{6})\b/;
const ignoredFields = [
  'location',
  'list_start',
  'list_end',
  'rexpr_list_start',
  'rexpr_list_end',
  'funcformat',
];

/**
 * Writes a changed tree as SQL again. The text is parsed once more and must give the same tree, so
 * that no mistake of the printer can change what a query means.
 */
export function rewriteQuery(
  context: StatementContext,
  select: SelectNode,
  tree: SelectTree,
): ShardQuery | Reject {
  const { fingerprint } = context.lexed;
  const ambiguous = slotPattern.test(fingerprint) || fingerprint.includes(hiddenPrefix);
  if (!tree.allSlotsFound || ambiguous) return cannotRewrite();
  const statement: SqlNode = { SelectStmt: select };
  const text = deparse(statement);
  if (text === null) return cannotRewrite();
  const outcome = parseStatement(text, text);
  if (outcome.kind !== 'parsed') return cannotRewrite();
  if (canonical(outcome.statement) !== canonical(statement)) return cannotRewrite();
  return { kind: 'rewritten', pieces: piecesOf(text) };
}

/** An expression as a person would write it; `?` stands for literals. */
export function expressionText(expression: SqlNode): string {
  return (deparse(expression) ?? '?').replace(/\$[12]\d{6}\b/g, '?');
}

/** Equal wherever they stand in the text; the same literals, not merely equal ones. */
export function sameExpression(a: SqlNode, b: SqlNode): boolean {
  return canonical(a) === canonical(b);
}

function deparse(node: SqlNode): string | null {
  try {
    return deparseSync(node, { pretty: false });
  } catch {
    // The printer knows fewer constructs than the grammar.
    return null;
  }
}

function cannotRewrite(): Reject {
  return refuse(
    'this statement cannot be rewritten for several shards',
    'Write it in a simpler way, or restrict it to one key.',
  );
}

/** Equal for trees that mean the same, wherever their parts stand in a text. */
function canonical(node: SqlNode): string {
  return JSON.stringify(node, (field, value: unknown) =>
    ignoredFields.includes(field) ? undefined : inFieldOrder(value),
  );
}

function inFieldOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).filter(([, child]) => child !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function piecesOf(text: string): readonly (string | ValueRef)[] {
  const pieces: (string | ValueRef)[] = [];
  text.split(slotPattern).forEach((part, index) => {
    const ref = index % 2 === 1 ? slotOf(Number(part)) : null;
    if (ref === null) pieces.push(part);
    else if (!ref.negated) pieces.push({ kind: 'literal', slot: ref.slot });
    else pieces.push('(-', { kind: 'literal', slot: ref.slot }, ')');
  });
  return pieces;
}
