import { describe, expect, it } from 'vitest';
import { namesFor, readNames, waitsFor } from '../../../src/cluster/failover/synchronous-names.ts';

describe('synchronous_standby_names', () => {
  it.each([
    ['b', 'b'],
    ['"b"', 'b'],
    ['B', 'b'],
    ['1 (b)', 'b'],
    ['FIRST 1 ("127.0.0.1:5433")', '127.0.0.1:5433'],
    ['any 1 ( b )', 'b'],
    [namesFor({ count: 1, names: ['a "quoted" one, or two'] }), 'a "quoted" one, or two'],
  ])('%s waits for %s alone', (setting, standby) => {
    expect(waitsFor(setting, { count: 1, names: [standby] })).toBe(true);
  });

  it.each([
    ['', 'b'],
    ['*', 'b'],
    ['a', 'b'],
    ['b, c', 'b'],
    ['"b", "c"', 'b'],
    ['ANY 1 (b, c)', 'b'],
    ['FIRST 2 (b, c)', 'b'],
    ['2 (b)', 'b'],
    ['b,', 'b'],
    ['b c', 'b'],
    ['0 (b)', 'b'],
    ['__fenced__', 'b'],
  ])('%s does not wait for %s alone', (setting, standby) => {
    expect(waitsFor(setting, { count: 1, names: [standby] })).toBe(false);
  });

  it.each([
    ['ANY 1 (b, c)', 1, true],
    ['ANY 1 (b)', 1, true],
    ['ANY 2 (b, c)', 1, true],
    ['FIRST 1 (c, b)', 1, true],
    ['ANY 1 (b, c)', 2, false],
    ['ANY 1 (b, d)', 1, false],
    ['ANY 2 (b, c, d)', 1, false],
  ])('%s puts every commit on %i of b and c: %s', (setting, count, expected) => {
    expect(waitsFor(setting, { count, names: ['b', 'c', 'C'] })).toBe(expected);
  });

  it('reads back what it writes', () => {
    const set = { count: 2, names: ['h:1', 'h:2', 'with "quotes"'] };
    expect(readNames(namesFor(set))).toEqual(set);
  });
});
