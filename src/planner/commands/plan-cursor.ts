import type { SqlNode } from '../../sql/ast.ts';
import type { Plan } from '../plan.ts';
import { refuse } from '../refuse.ts';
import type { CursorCommand } from './cursor-command.ts';
import { declareText } from './declare-text.ts';

type DeclareNode = Extract<SqlNode, { DeclareCursorStmt: unknown }>['DeclareCursorStmt'];
type FetchNode = Extract<SqlNode, { FetchStmt: unknown }>['FetchStmt'];
type FetchCommand = Extract<CursorCommand, { readonly kind: 'fetch' }>;

// Bits of DeclareCursorStmt.options. Source: PostgreSQL's parsenodes.h, CURSOR_OPT_*.
const binary = 0x0001;
const scroll = 0x0002;
const noScroll = 0x0004;
const hold = 0x0020;

/** FETCH_ALL, as libpg-query narrows it; nobody counts that many rows. */
const all = 2_147_483_647;

const directions: { readonly [name: string]: FetchCommand['direction'] } = {
  FETCH_FORWARD: 'forward',
  FETCH_BACKWARD: 'backward',
  FETCH_ABSOLUTE: 'absolute',
  FETCH_RELATIVE: 'relative',
};

/** DECLARE, FETCH, MOVE and CLOSE; null for every other statement. */
export function planCursor(statement: SqlNode, text: string): Plan | null {
  if ('DeclareCursorStmt' in statement) return declare(statement.DeclareCursorStmt, text);
  if ('FetchStmt' in statement)
    return { kind: 'cursor', command: fetchCommand(statement.FetchStmt) };
  if (!('ClosePortalStmt' in statement)) return null;
  const { portalname: name = null } = statement.ClosePortalStmt;
  return { kind: 'cursor', command: { kind: 'close', name } };
}

function declare(node: DeclareNode, text: string): Plan {
  const { portalname: name = '', options = 0 } = node;
  const query = declareText(text);
  if (query === null) {
    return refuse('DECLARE CURSOR written in this way is not supported', 'Leave out comments.');
  }
  const wish =
    (options & scroll) !== 0 ? 'scroll' : (options & noScroll) !== 0 ? 'no-scroll' : 'unspecified';
  const is = { binary: (options & binary) !== 0, hold: (options & hold) !== 0 };
  return { kind: 'cursor', command: { kind: 'declare', name, ...is, scroll: wish, ...query } };
}

/** The grammar leaves out what is 0. */
function fetchCommand(node: FetchNode): FetchCommand {
  const { portalname: name = '', direction = 'FETCH_FORWARD', howMany = 0, ismove = false } = node;
  const count = Number(howMany);
  return {
    kind: 'fetch',
    name,
    direction: directions[direction] ?? 'forward',
    count: count === all ? Infinity : count,
    move: ismove,
  };
}
