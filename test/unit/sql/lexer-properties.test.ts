import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { bindSlots } from '../../../src/sql/bind-slots.ts';
import { lexStatements, literalMark } from '../../../src/sql/lexer.ts';
import { literalValue } from '../../../src/sql/literal-value.ts';
import { meansTheSame } from '../../../src/sql/means-the-same.ts';
import { nestingBound } from '../../../src/sql/nesting-bound.ts';
import { parameterize } from '../../../src/sql/parameterize.ts';
import { loadParser, parseStatement } from '../../../src/sql/parser.ts';
import { damaged, outcome } from '../../support/properties.ts';

const piece = fc.constantFrom(
  'select',
  'from',
  'where',
  'and',
  'or',
  'not',
  'in',
  'values',
  'insert into',
  'group by',
  'order by',
  'a',
  'b',
  'tab',
  '"Q""d"',
  'U&"x"',
  '*',
  ',',
  '(',
  ')',
  '[',
  ']',
  ';',
  '=',
  '<>',
  '-',
  '+',
  '::',
  '.',
  ':',
  '1',
  '0',
  '7',
  '42',
  '3000000000',
  '1.5',
  '1e5',
  '0x1F',
  '1_000',
  '1a',
  '.5',
  '$1',
  '$2',
  '$$',
  '$x$',
  '$',
  "'s'",
  "''",
  "'it''s'",
  "E'a\\'b'",
  "e'\\",
  "U&'d'",
  "B'01'",
  "X'1F'",
  "N'n'",
  "'",
  '"',
  '\\',
  '--',
  '-- c\n',
  '/*',
  '*/',
  '/* /* */ */',
  '\n',
  '\t',
  ' ',
  '\u0001s',
  '\u0002',
  '\u0003',
  'é',
  '𝄞',
  'begin atomic',
  'end',
  'case',
  'distinct on',
  'numeric',
  'varchar',
  "'now'",
);
const sql = fc
  .array(piece, { maxLength: 30 })
  .chain((pieces) =>
    fc
      .array(fc.constantFrom('', ' ', '\n'), { minLength: pieces.length, maxLength: pieces.length })
      .map((gaps) => pieces.map((text, index) => text + gaps[index]).join('')),
  );
const anySql = fc.oneof(
  sql,
  damaged(sql.map((text) => Buffer.from(text))).map((bytes) => bytes.toString('utf8')),
  fc.string({ unit: 'binary', maxLength: 200 }),
);

beforeAll(loadParser);

describe('the lexer', () => {
  it('covers each statement with literals that lie in it, in order', () => {
    fc.assert(
      fc.property(anySql, fc.boolean(), (text, standardConformingStrings) => {
        let from = 0;
        for (const { start, end, literals } of lexStatements(text, { standardConformingStrings })) {
          expect(start).toBeGreaterThanOrEqual(from);
          expect(end).toBeGreaterThan(start);
          let at = start;
          for (const literal of literals) {
            expect(literal.start).toBeGreaterThanOrEqual(at);
            expect(literal.end).toBeGreaterThan(literal.start);
            at = literal.end;
          }
          expect(at).toBeLessThanOrEqual(end);
          from = end;
        }
        expect(from).toBeLessThanOrEqual(text.length);
      }),
    );
  });

  it('gives a statement alone the fingerprint that it has among others', () => {
    fc.assert(
      fc.property(sql, (text) => {
        for (const lexed of lexStatements(text, { standardConformingStrings: true })) {
          const alone = text.slice(lexed.start, lexed.end);
          const [again] = lexStatements(alone, { standardConformingStrings: true });
          expect(again?.fingerprint).toBe(lexed.fingerprint);
        }
      }),
    );
  });

  it('marks as many literals as it cuts, and nothing else can look like one', () => {
    fc.assert(
      fc.property(anySql, (text) => {
        for (const lexed of lexStatements(text, { standardConformingStrings: true })) {
          // In quotes a mark is only a character.
          if (/["'$]/.test(lexed.fingerprint)) continue;
          const marks = lexed.fingerprint.split(literalMark).length - 1;
          expect(marks).toBe(lexed.literals.length);
        }
      }),
    );
  });

  it('never takes a word of the grammar for a literal', () => {
    fc.assert(
      fc.property(sql, (text) => {
        for (const lexed of lexStatements(text, { standardConformingStrings: true })) {
          const own = text.slice(lexed.start, lexed.end);
          const parsed = outcome(() => parseStatement(own, lexed.fingerprint));
          if (typeof parsed === 'string' || parsed.kind !== 'parsed') continue;
          const bound = bindSlots(parsed.statement, text, lexed);
          expect(JSON.stringify(bound.statement)).not.toContain("it's");
          nestingBound(lexed.fingerprint);
        }
      }),
    );
  });
});

describe('what is read from a statement', () => {
  it('is a value or nothing, whatever the token is', () => {
    fc.assert(
      fc.property(anySql, (text) => {
        meansTheSame(text);
        for (const lexed of lexStatements(text, { standardConformingStrings: true })) {
          const form = parameterize(lexed);
          if (form !== null) expect(form.typeOids).toHaveLength(lexed.literals.length);
          for (const { kind, start, end } of lexed.literals) {
            if (kind === 'bit-string') continue;
            const value = literalValue(text.slice(start, end), true);
            expect(value === null || typeof value === 'string').toBe(true);
          }
        }
      }),
    );
  });
});
