import { describe, expect, it } from 'vitest';
import type { QueryPiece } from '../../../src/planner/plan.ts';
import { joinedRows, rowTexts } from '../../../src/planner/write/row-texts.ts';
import { lexStatements } from '../../../src/sql/lexer.ts';

/** The pieces as text again, with the literals of `sql`. */
function cut(sql: string, count: number): readonly string[] | null {
  const [lexed] = lexStatements(sql, { standardConformingStrings: true });
  if (lexed === undefined) return null;
  const texts = rowTexts([lexed.fingerprint], count);
  if (texts === null) return null;
  const textOf = (pieces: readonly QueryPiece[]) =>
    pieces
      .map((piece) => {
        if (typeof piece === 'string') return piece;
        if (piece.kind === 'parameter') return `$${piece.index + 1}`;
        const literal = piece.kind === 'literal' ? lexed.literals[piece.slot] : undefined;
        return literal === undefined ? '?' : sql.slice(literal.start, literal.end);
      })
      .join('');
  return [textOf(texts.head), ...texts.rows.map(textOf), textOf(texts.tail)];
}

describe('the rows of VALUES', () => {
  it('are cut out with what stands before and after them', () => {
    expect(cut("insert into t (a, b) values (1, 'x'), ($2, f(3, (4))) returning a", 2)).toEqual([
      'insert into t (a, b) values ',
      "(1, 'x')",
      '($2, f(3, (4)))',
      ' returning a',
    ]);
  });

  it('may hold parentheses and commas in strings, names and comments', () => {
    const rows = [`('a), (''b', "x), (y".c)`, "(E'\\')', $$), ($$)", '(1 /* ), ( */, 2 -- ),\n)'];
    expect(cut(`insert into t values ${rows.join(', ')}`, 3)?.slice(1, 4)).toEqual([
      rows[0],
      rows[1],
      '(1 , 2 )',
    ]);
  });

  it('are not taken for a table or a column called values', () => {
    expect(cut('insert into values (values) values (1), (2)', 2)?.slice(0, 2)).toEqual([
      'insert into values (values) values ',
      '(1)',
    ]);
    expect(cut('insert into t values ((values (1), (2))), (3)', 2)?.[1]).toBe(
      '((values (1), (2)))',
    );
  });

  it('keep words that look like parameters, and control characters in names', () => {
    expect(cut('insert into t values (a$1, $1), (2, "x\u0001s")', 2)).toEqual([
      'insert into t values ',
      '(a$1, $1)',
      '(2, "x\u0001s")',
      '',
    ]);
  });

  it('are not guessed', () => {
    expect(cut('insert into t values (1), (2)', 3)).toBe(null);
    expect(cut('insert into t select 1', 1)).toBe(null);
    expect(cut("insert into t values (X'1', B'\\'), (2, 3)", 2)).toBe(null);
  });

  it('are joined by commas', () => {
    expect(joinedRows(['values '], [['(1)'], ['(', '2)']], [';'])).toEqual([
      'values ',
      '(1)',
      ', ',
      '(',
      '2)',
      ';',
    ]);
  });
});
