import { describe, expect, it } from 'vitest';
import { readUserlist } from '../../../src/config/read-userlist.ts';

describe('a userlist', () => {
  it("is read as PgBouncer's", () => {
    const text =
      '; a comment\n\n"kim" "secret"\r\n  "a ""b""" "x""y" "and more"\n"kim" "later"\n"no" ""';
    expect(readUserlist(text)).toEqual({
      entries: [
        { name: 'kim', password: 'later' },
        { name: 'a "b"', password: 'x"y' },
        { name: 'no', password: '' },
      ],
      mistakes: [],
    });
  });

  it('names the lines that are wrong', () => {
    expect(readUserlist('"kim" "x"\nkim x\n"" "x"\n"open "x"\n').mistakes).toEqual([2, 3, 4]);
  });
});
