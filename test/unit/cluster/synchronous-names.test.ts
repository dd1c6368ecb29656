import { describe, expect, it } from 'vitest';
import { standbyName } from '../../../src/cluster/probe-query.ts';
import { namesFor, synchronousOnly } from '../../../src/cluster/synchronous-names.ts';

describe('synchronous_standby_names', () => {
  it.each([
    ['b', 'b'],
    ['"b"', 'b'],
    ['B', 'b'],
    ['1 (b)', 'b'],
    ['FIRST 1 ("127.0.0.1:5433")', '127.0.0.1:5433'],
    ['any 1 ( b )', 'b'],
    [namesFor('a "quoted" one'), 'a "quoted" one'],
  ])('%s waits for %s alone', (names, standby) => {
    expect(synchronousOnly(names, standby)).toBe(true);
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
    ['__fenced__', 'b'],
  ])('%s does not wait for %s alone', (names, standby) => {
    expect(synchronousOnly(names, standby)).toBe(false);
  });
});

describe('the name of a standby', () => {
  it.each([
    ['host=h application_name=b port=1', '', 'b'],
    ["application_name = 'it''s' ", 'c', 'it'],
    ["application_name='a \\'b\\''", '', "a 'b'"],
    ['host=h fallback_application_name=x', 'named', 'named'],
    ['host=h', '', 'walreceiver'],
  ])('is found in %s', (conninfo, clusterName, name) => {
    expect(standbyName(conninfo, clusterName)).toBe(name);
  });
});
