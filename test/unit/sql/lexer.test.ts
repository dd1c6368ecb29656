import { describe, expect, it } from 'vitest';
import { lexStatements } from '../../../src/sql/lexer.ts';
import { seededRandom } from '../../support/random.ts';

const standard = { standardConformingStrings: true };

function lex(text: string) {
  return lexStatements(text, standard);
}

function one(text: string) {
  const [statement] = lex(text);
  if (statement === undefined) throw new Error('there is no statement');
  return {
    ...statement,
    tokens: statement.literals.map(({ start, end }) => text.slice(start, end)),
  };
}

describe('lexStatements', () => {
  it('cuts literals out and leaves a mark of their kind', () => {
    const statement = one(
      "select * from t where a = 'x' and b = 12 and c = 3000000000 and d = 1.5",
    );
    expect(statement.tokens).toEqual(["'x'", '12', '3000000000', '1.5']);
    expect(statement.literals.map(({ kind }) => kind)).toEqual([
      'string',
      'int4',
      'int8',
      'numeric',
    ]);
    expect(statement.fingerprint).toBe(
      'select * from t where a = \u0001s and b = \u0001i and c = \u0001l and d = \u0001n',
    );
  });

  it.each([
    ["E'a\\'b'", "E'a\\'b'"],
    ["'a''b'", "'a''b'"],
    ["'a'\n  'b'", "'a'\n  'b'"],
    ["'a' -- note\n 'b'", "'a' -- note\n 'b'"],
    ["$$it's$$", "$$it's$$"],
    ['$x$ $$ $x$', '$x$ $$ $x$'],
    ['0xFF', '0xFF'],
    ['1_000', '1_000'],
    ['1e-3', '1e-3'],
    ['.5', '.5'],
    ['5.', '5.'],
  ])('cuts %s as one token', (token, expected) => {
    expect(one(`select ${token}`).tokens).toEqual([expected]);
  });

  it.each([
    ["select U&'d\\0061t'"],
    ["select B'01', X'1F', N'x'"],
    ['select 1 + 123abc'],
    ['set work_mem = 5'],
    ["explain select * from t where a = 'x'"],
    ["create table t (a text default 'x')"],
  ])('keeps what it does not cut: %s', (text) => {
    expect(one(text).fingerprint).toContain(text.slice(-4));
  });

  it('keeps ordinals and the modifiers of types', () => {
    const text = 'select distinct on (1) a, 7 from t group by 1, (2) order by 3 desc limit 4';
    expect(one(text).tokens).toEqual(['7', '4']);
    expect(one('select a::numeric(10, 2), b::varchar(3), f(3)').tokens).toEqual(['3']);
    expect(one('select a from (select 1 from t order by 2) x where b = 3').tokens).toEqual([
      '1',
      '3',
    ]);
  });

  it('keeps ordinals behind a subquery in the same list', () => {
    expect(one('select a from t order by (select 5 from u order by 1), 2').tokens).toEqual([]);
  });

  it('drops comments and needless blanks, and keeps tokens apart', () => {
    expect(one('select /* a /* b */ c */ 1 --x\n ,\t2').fingerprint).toBe(
      one('select 1 , 2').fingerprint,
    );
    expect(one('select a/**/b').fingerprint).toBe('select a b');
    expect(one('select - -1').fingerprint).not.toBe(one('select --1\n1').fingerprint);
  });

  it('leaves letters, names in quotes and signs alone', () => {
    expect(one('select "A--b", Ab, -5').fingerprint).toBe('select "A--b", Ab, -\u0001i');
  });

  it('splits at semicolons that stand for themselves', () => {
    const text = ' select 1;; select \';\' ; select "a;b"; /* ; */ select $$;$$ ';
    const texts = lex(text).map(({ start, end }) => text.slice(start, end));
    expect(texts).toEqual(['select 1', "select ';'", 'select "a;b"', 'select $$;$$']);
  });

  it('does not split the body of a function', () => {
    const text =
      'create function f() begin atomic select case when a then 1 end; select 2; end; select 3';
    expect(lex(text)).toHaveLength(2);
  });

  it('finds no statement in blanks and comments', () => {
    expect(lex('')).toEqual([]);
    expect(lex(' ; -- x\n ; /* y */')).toEqual([]);
  });

  it('counts parameters', () => {
    expect(one('select $1, $12, a$3').parameterCount).toBe(12);
  });

  it('escapes control characters, so that they are no marks', () => {
    const marked = one('select a = 5').fingerprint;
    expect(one('select a = \u0001i').fingerprint).not.toBe(marked);
  });

  it('reads backslashes as escapes when strings do not conform', () => {
    const text = "select 'a\\'; select 1'";
    expect(lexStatements(text, { standardConformingStrings: false })).toHaveLength(1);
    expect(lex(text)).toHaveLength(2);
  });

  it('never throws, and its literals lie in order within their statement', () => {
    const random = seededRandom(20_240_101);
    const parts = [
      ...'\'"$;()-+/*\\.eEuUxXnNbB019 \n\t&',
      'select ',
      'order by ',
      '$$',
      '$1',
      '--',
    ];
    for (let round = 0; round < 3000; round += 1) {
      const length = random.integer(0, 30);
      const text = Array.from({ length }, () => random.pick(parts)).join('');
      for (const standardConformingStrings of [true, false]) {
        let last = 0;
        for (const statement of lexStatements(text, { standardConformingStrings })) {
          expect(statement.start).toBeGreaterThanOrEqual(last);
          last = statement.start;
          for (const literal of statement.literals) {
            expect(literal.start).toBeGreaterThanOrEqual(last);
            expect(literal.end).toBeGreaterThan(literal.start);
            last = literal.end;
          }
          expect(statement.end).toBeGreaterThanOrEqual(last);
          expect(statement.end).toBeLessThanOrEqual(text.length);
        }
      }
    }
  });

  it('gives the same fingerprint for other values of the same kind', () => {
    const random = seededRandom(7);
    const template = (a: number, b: string) =>
      `select * from t where a = ${a} and b = '${b}' limit 5`;
    const expected = one(template(1, 'x')).fingerprint;
    for (let round = 0; round < 100; round += 1) {
      const text = template(random.integer(0, 2 ** 31 - 1), 'y'.repeat(random.integer(0, 9)));
      expect(one(text).fingerprint).toBe(expected);
    }
  });
});
