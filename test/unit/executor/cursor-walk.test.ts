import { describe, expect, it } from 'vitest';
import { type CursorPlace, cursorWalk } from '../../../src/executor/cursors/cursor-walk.ts';
import type { CursorCommand } from '../../../src/planner/commands/cursor-command.ts';

type Fetch = Extract<CursorCommand, { kind: 'fetch' }>;

const before: CursorPlace = { rows: 0, at: 'before' };
const onFifth: CursorPlace = { rows: 5, at: 'on' };
const after: CursorPlace = { rows: 9, at: 'after' };

function walk(direction: Fetch['direction'], count: number, place: CursorPlace, move = false) {
  const found = cursorWalk({ direction, count, move }, place);
  if (found.kind === 'forward') return `skip ${found.skip}, read ${found.count}`;
  return found.kind === 'stay' ? `stay ${found.rows}` : found.kind;
}

describe('FETCH and MOVE', () => {
  it('read forward', () => {
    expect(walk('forward', 3, before)).toBe('skip 0, read 3');
    expect(walk('forward', Infinity, onFifth)).toBe('skip 0, read Infinity');
    expect(walk('backward', -2, onFifth)).toBe('skip 0, read 2');
    expect(walk('relative', 4, onFifth)).toBe('skip 3, read 1');
  });

  it('count from the start where they name a row', () => {
    expect(walk('absolute', 1, before)).toBe('skip 0, read 1');
    expect(walk('absolute', 6, onFifth)).toBe('skip 0, read 1');
    expect(walk('absolute', 8, onFifth)).toBe('skip 2, read 1');
    expect(walk('absolute', 5, onFifth)).toBe('backward');
    expect(walk('absolute', 10, after)).toBe('backward');
    expect(walk('absolute', 11, after)).toBe('skip 0, read 1');
    expect(walk('absolute', -1, before)).toBe('backward');
    expect(walk('absolute', 0, before)).toBe('stay 0');
    expect(walk('absolute', 0, onFifth)).toBe('backward');
  });

  it('of no rows ask where the cursor is', () => {
    for (const direction of ['forward', 'backward', 'relative'] as const) {
      expect(walk(direction, 0, before)).toBe('stay 0');
      expect(walk(direction, 0, onFifth)).toBe('backward');
      expect(walk(direction, 0, onFifth, true)).toBe('stay 1');
      expect(walk(direction, 0, after, true)).toBe('stay 0');
    }
  });

  it('go back only where they must', () => {
    expect(walk('backward', 1, onFifth)).toBe('backward');
    expect(walk('forward', -1, onFifth)).toBe('backward');
    expect(walk('backward', Infinity, before)).toBe('backward');
  });
});
