import type { QueryPiece } from '../plan.ts';

/** A text cut at its VALUES list: in front of the first row, the rows with parentheses, the rest. */
export type RowTexts = {
  readonly head: readonly QueryPiece[];
  readonly rows: readonly (readonly QueryPiece[])[];
  readonly tail: readonly QueryPiece[];
};

type Token = { readonly piece: QueryPiece; readonly kind: TokenKind };
type TokenKind = 'open' | 'close' | 'comma' | 'values' | 'blank' | 'other';

/**
 * One token of a fingerprint, or of a text that was printed: neither has comments, and only a
 * fingerprint has control characters, see lexer.ts.
 */
const token =
  /\s+|\p{Cc}|"[^"]*(?:""[^"]*)*"|'[^']*(?:''[^']*)*'|\$(\d+)|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\d[\w.]*|[^$'"]/uy;

/**
 * Finds the rows of a statement's VALUES list, `count` of them, by their parentheses. null when the
 * text holds what is not understood here.
 */
export function rowTexts(pieces: readonly QueryPiece[], count: number): RowTexts | null {
  const tokens: Token[] = [];
  let slots = 0;
  for (const piece of pieces) {
    if (typeof piece !== 'string') tokens.push({ piece, kind: 'other' });
    else {
      const found = tokensOf(piece, slots);
      if (found === null) return null;
      slots += found.filter((each) => isLiteral(each.piece)).length;
      // Not spread: a long list would not fit on the stack.
      for (const each of found) tokens.push(each);
    }
  }
  for (const [index, { kind }] of tokens.entries()) {
    if (kind !== 'values') continue;
    const rows = rowsAt(tokens, index + 1, count);
    if (rows !== null) return cut(tokens, rows);
  }
  return null;
}

function tokensOf(text: string, firstSlot: number): readonly Token[] | null {
  const tokens: Token[] = [];
  let slot = firstSlot;
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    // A dollar-quoted string, or one with backslashes: both are rare where literals are cut out.
    if (match === null || (match[0].startsWith("'") && match[0].includes('\\'))) return null;
    const [word, parameter] = match;
    const code = word.charCodeAt(0);
    if (word.length === 1 && code === 1) {
      tokens.push({ piece: { kind: 'literal', slot }, kind: 'other' });
      slot += 1;
      token.lastIndex += 1;
    } else if (word.length === 1 && code === 2) {
      const digits = text.slice(token.lastIndex, token.lastIndex + 2);
      tokens.push({ piece: String.fromCharCode(Number.parseInt(digits, 16)), kind: 'other' });
      token.lastIndex += 2;
    } else if (parameter !== undefined) {
      tokens.push({ piece: { kind: 'parameter', index: Number(parameter) - 1 }, kind: 'other' });
    } else tokens.push({ piece: word, kind: kindOf(word) });
  }
  return tokens;
}

function isLiteral(piece: QueryPiece): boolean {
  return typeof piece !== 'string' && piece.kind === 'literal';
}

function kindOf(word: string): TokenKind {
  if (word === '(') return 'open';
  if (word === ')') return 'close';
  if (word === ',') return 'comma';
  if (word.trim() === '') return 'blank';
  return word.toLowerCase() === 'values' ? 'values' : 'other';
}

type Span = { readonly start: number; readonly end: number };

/** `(...), (...)` and so on, exactly `count` times. */
function rowsAt(tokens: readonly Token[], from: number, count: number): readonly Span[] | null {
  const rows: Span[] = [];
  let at = from;
  for (;;) {
    at = afterBlanks(tokens, at);
    const end = tokens[at]?.kind === 'open' ? closing(tokens, at) : null;
    if (end === null) return null;
    rows.push({ start: at, end });
    at = afterBlanks(tokens, end);
    if (tokens[at]?.kind !== 'comma') return rows.length === count ? rows : null;
    at += 1;
  }
}

function afterBlanks(tokens: readonly Token[], from: number): number {
  let at = from;
  while (tokens[at]?.kind === 'blank') at += 1;
  return at;
}

/** One past the parenthesis that closes the one at `from`. */
function closing(tokens: readonly Token[], from: number): number | null {
  let depth = 0;
  for (let at = from; at < tokens.length; at += 1) {
    const kind = tokens[at]?.kind;
    if (kind === 'open') depth += 1;
    if (kind === 'close') depth -= 1;
    if (depth === 0) return at + 1;
  }
  return null;
}

function cut(tokens: readonly Token[], rows: readonly Span[]): RowTexts {
  const piecesIn = (start: number, end: number) => joined(tokens.slice(start, end));
  return {
    head: piecesIn(0, rows[0]?.start ?? 0),
    rows: rows.map(({ start, end }) => piecesIn(start, end)),
    tail: piecesIn(rows.at(-1)?.end ?? 0, tokens.length),
  };
}

/** Neighbouring strings as one. */
function joined(tokens: readonly Token[]): readonly QueryPiece[] {
  const pieces: QueryPiece[] = [];
  for (const { piece } of tokens) {
    const last = pieces.at(-1);
    if (typeof piece === 'string' && typeof last === 'string')
      pieces[pieces.length - 1] = last + piece;
    else pieces.push(piece);
  }
  return pieces;
}

/** A text with these of the rows. */
export function joinedRows(
  head: readonly QueryPiece[],
  rows: readonly (readonly QueryPiece[])[],
  tail: readonly QueryPiece[],
): readonly QueryPiece[] {
  return [...head, ...rows.flatMap((row, index) => (index === 0 ? row : [', ', ...row])), ...tail];
}
