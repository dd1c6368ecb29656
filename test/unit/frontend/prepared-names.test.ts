import { describe, expect, it } from 'vitest';
import { serverStatementName } from '../../../src/frontend/prepared-names.ts';

const named = (text: string, meaning = '') => serverStatementName(Buffer.from(text), meaning);

describe('the name of a prepared statement on servers', () => {
  it('is one for all clients with the same text', () => {
    expect(named('select $1::int')).toBe(named('select $1::int'));
    expect(named('select $1::int')).not.toBe(named('select $1::int8'));
  });

  it('differs where settings make servers read the text differently', () => {
    const text = "select timestamptz '2020-01-01'";
    expect(named(text, 'timezone=UTC')).not.toBe(named(text, 'timezone=Asia/Tokyo'));
  });

  it("is a session's own when the text stands for the time at which it is read", () => {
    for (const text of [
      "select 'now'::timestamptz",
      "select ' Today '::date",
      'select $$tomorrow$$::date',
    ]) {
      expect(named(text)).not.toBe(named(text));
    }
    expect(named('select now()')).toBe(named('select now()'));
  });
});
