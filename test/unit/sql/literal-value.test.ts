import { describe, expect, it } from 'vitest';
import { literalValue } from '../../../src/sql/literal-value.ts';

describe('literalValue', () => {
  it.each([
    ["'abc'", 'abc'],
    ["''", ''],
    ["'a''b'", "a'b"],
    ["'a\\n'", 'a\\n'],
    ["'a'\n'b' -- c\n 'd'", 'abd'],
    ["E'a\\'b\\\\c\\n\\x41\\101\\u00e9\\U0001F600'", "a'b\\c\nAA\u00e9\u{1f600}"],
    ["e'\\q'", 'q'],
    ['$$a$b$$', 'a$b'],
    ['$x$a$$b$x$', 'a$$b'],
    ['12', '12'],
    ['1.5e3', '1.5e3'],
  ])('reads %s', (token, value) => {
    expect(literalValue(token, true)).toBe(value);
  });

  it('reads backslashes in plain strings when strings do not conform', () => {
    expect(literalValue("'a\\tb'", false)).toBe('a\tb');
  });

  it.each([["E'\\xff'"], ["E'\\0'"], ["E'\\ud83d\\ude00'"], ["E'\\u12'"], ["'open"], ['$$open']])(
    'leaves %s to a server',
    (token) => {
      expect(literalValue(token, true)).toBeNull();
    },
  );
});
