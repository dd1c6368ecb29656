import { describe, expect, it } from 'vitest';
import { emptySettings } from '../../../src/backend/session-settings.ts';
import { searchPathOf, splitNames } from '../../../src/executor/session/search-path.ts';

describe('a list of names', () => {
  it.each([
    ['', []],
    ['  ', []],
    ['public', ['public']],
    ['Public, SHOP', ['public', 'shop']],
    ['"Public", \'Shop\'', ['Public', 'Shop']],
    ['"a""b",\'c\'\'d\'', ['a"b', "c'd"]],
    ['"a, b" , c', ['a, b', 'c']],
    ["'', x", ['x']],
    ['"$user",public', ['$user', 'public']],
    ['a b', []],
    ['"open', []],
  ])('%s', (text, names) => {
    expect(splitNames(text)).toEqual(names);
  });
});

describe('the search path', () => {
  it('is the servers own default without a setting', () => {
    expect(searchPathOf(emptySettings, 'kim')).toEqual(['kim', 'public']);
  });

  it('is what the session says, with its user in place of $user', () => {
    const settings = emptySettings.with('search_path', "'$user', 'shop'");
    expect(searchPathOf(settings, 'Kim')).toEqual(['Kim', 'shop']);
  });

  it('has the role in the place of $user after SET ROLE', () => {
    const settings = emptySettings.with('role', "'Bob'");
    expect(searchPathOf(settings, 'kim')).toEqual(['Bob', 'public']);
    expect(searchPathOf(settings.with('role', "'none'"), 'kim')).toEqual(['kim', 'public']);
  });
});
