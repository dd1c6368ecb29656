import { TypeOid } from '../protocol/type-oid.ts';
import type { LexedStatement, Literal } from './lexed-statement.ts';
import { literalMark } from './lexer.ts';
import { literalValue } from './literal-value.ts';

/** The type that PostgreSQL gives such a literal; 0: it follows from what it is compared with. */
const typeOids: { readonly [Kind in Literal['kind']]: number | null } = {
  string: 0,
  'bit-string': null,
  int4: TypeOid.int4,
  int8: TypeOid.int8,
  numeric: TypeOid.numeric,
};

export type ParameterizedText = {
  /** With `$1`, `$2` ... in the place of the literals. */
  readonly text: string;
  readonly typeOids: readonly number[];
};

/**
 * The statement with parameters instead of literals, where that cannot make a difference; null
 * where it might. Each literal must be one side of an `=`: there PostgreSQL finds the type of a
 * parameter as it finds that of a literal. Elsewhere a literal may be more than its value: the bound
 * of a LIMIT, which the planner counts with, or a column of the answer, whose type it decides.
 */
export function parameterize(lexed: LexedStatement): ParameterizedText | null {
  const { fingerprint, literals, parameterCount } = lexed;
  if (parameterCount > 0 || literals.length === 0) return null;
  const types: number[] = [];
  let text = '';
  let from = 0;
  for (const { kind } of literals) {
    const at = fingerprint.indexOf(literalMark, from);
    const typeOid = typeOids[kind];
    const before = fingerprint.slice(from, at);
    const isCompared = /(?<![-+*/<>=~!@#%^&|`?:\s])\s?=\s?$/.test(before);
    if (at === -1 || typeOid === null || !isCompared) return null;
    types.push(typeOid);
    text += `${before}$${types.length}`;
    from = at + literalMark.length + 1;
    if (!/^(?:\s?[),]|\s[a-z]|$)/i.test(fingerprint.slice(from))) return null;
  }
  text += fingerprint.slice(from);
  return hasControls(text) ? null : { text, typeOids: types };
}

/** Of a literal of such a statement, as the input function of its type reads it; null: not known. */
export function parameterValue(text: string, { kind, start, end }: Literal): string | null {
  if (kind === 'string') return literalValue(text.slice(start, end), true);
  for (let at = start; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (code !== point && (code < digit0 || code > digit9)) return null;
  }
  return text.slice(start, end);
}

const point = 0x2e;
const digit0 = 0x30;
const digit9 = 0x39;

/** What the lexer has written into it, or escaped. */
function hasControls(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) < 0x20) return true;
  return false;
}
