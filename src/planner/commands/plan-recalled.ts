import type { SqlNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import type { Plan } from '../plan.ts';
import { refusal } from '../refuse.ts';
import type { RecalledCall } from '../sequence-calls.ts';

/** null: it calls neither. Where it is not clear what is called for, it is refused. */
export function planRecalled(statement: SqlNode, text: string, fingerprint: string): Plan | null {
  if (!/currval|lastval/i.test(fingerprint)) return null;
  const isQuery = ['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt'].some(
    (tag) => tag in statement,
  );
  if (!isQuery) return null;
  const named = namedColumns(statement);
  const bytes = Buffer.from(text);
  const calls: RecalledCall[] = [];
  walk(statement, (node) => {
    if (!('FuncCall' in node)) return true;
    const name = builtinName(node.FuncCall.funcname);
    if (name !== 'currval' && name !== 'lastval') return true;
    const start = bytes.toString('utf8', 0, node.FuncCall.location ?? 0).length;
    const open = text.indexOf('(', start);
    const end = closing(text, open);
    if (open === -1 || end === -1)
      throw refusal(`${name}() written in this way is not supported`, 'Write it in a simpler way.');
    const columnEnd = named.has(node.FuncCall) ? endOfCasts(text, end) : null;
    calls.push({ start, end, name, argument: text.slice(open + 1, end - 1), columnEnd });
    return true;
  });
  return calls.length === 0 ? null : { kind: 'recalled', calls };
}

/** Calls that PostgreSQL names a column of the answer after, with casts or without. */
function namedColumns(statement: SqlNode): ReadonlySet<object> {
  const found = new Set<object>();
  const targets = 'SelectStmt' in statement ? (statement.SelectStmt.targetList ?? []) : [];
  for (const target of targets) {
    if (!('ResTarget' in target) || target.ResTarget.name !== undefined) continue;
    let value = target.ResTarget.val;
    while (value !== undefined && 'TypeCast' in value) value = value.TypeCast.arg;
    if (value !== undefined && 'FuncCall' in value) found.add(value.FuncCall);
  }
  return found;
}

/** Behind the parenthesis that closes the one at `open`; -1: it is not found. */
function closing(text: string, open: number): number {
  let depth = 0;
  let quote = '';
  for (let at = open; at >= 0 && at < text.length; at += 1) {
    const character = text.charAt(at);
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === "'" || character === '"') quote = character;
    else if (character === '(') depth += 1;
    else if (character === ')') {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}

function endOfCasts(text: string, end: number): number {
  const [casts = ''] = /^(?:\s*::\s*[\w.]+(?:\s*\(\d+\))?)*/.exec(text.slice(end)) ?? [];
  return end + casts.length;
}
