import { describe, expect, it } from 'vitest';
import { PreparedNames } from '../../../src/backend/prepared-names.ts';

/** Holding these, in the order of adding, as many as fit. */
function namesOf(...added: readonly string[]): PreparedNames {
  const names = new PreparedNames(added.length);
  for (const name of added) expect(names.add(name)).toBeNull();
  return names;
}

describe('the prepared statements of a server session', () => {
  it('make room for one more by the oldest that was not used', () => {
    const names = namesOf('a', 'b', 'c');
    names.has('a');
    names.has('c');
    expect(names.add('d')).toBe('b');
    expect(['a', 'b', 'c', 'd'].map((name) => names.has(name))).toEqual([true, false, true, true]);
  });

  it('make room by the oldest when all were used, never by the new one', () => {
    const names = namesOf('a', 'b');
    names.has('b');
    names.has('a');
    expect(names.add('c')).toBe('a');
    expect(names.add('d')).toBe('b');
    expect(names.add('e')).toBe('c');
  });

  it('spare one that is used all the time, however many come', () => {
    const names = namesOf('used', 'x', 'y');
    for (let number = 0; number < 20; number++) {
      expect(names.has('used')).toBe(true);
      expect(names.add(`passing ${number}`)).not.toBe('used');
    }
  });

  it('lose nothing to one that they have', () => {
    const names = namesOf('a', 'b');
    expect(names.add('a')).toBeNull();
    expect(names.add('c')).toBe('b');
  });

  it('may be one only', () => {
    const names = namesOf('a');
    names.has('a');
    expect(names.add('b')).toBe('a');
  });
});
