import type { CursorCommand } from '../planner/cursor-command.ts';

/** Where a cursor stands: before its first row, on the last row that was read, or after the end. */
export type CursorPlace = {
  /** How many rows have been read. */
  readonly rows: number;
  readonly at: 'before' | 'on' | 'after';
};

export type CursorWalk =
  /** Leaves out `skip` rows and reads the `count` after them. */
  | { readonly kind: 'forward'; readonly skip: number; readonly count: number }
  /** Reads nothing; `rows` is what MOVE says. */
  | { readonly kind: 'stay'; readonly rows: 0 | 1 }
  /** Only who can go back can do it. */
  | { readonly kind: 'backward' };

/** Which rows FETCH or MOVE means. Source: DoPortalRunFetch of PostgreSQL's pquery.c. */
export function cursorWalk(
  command: Pick<Extract<CursorCommand, { kind: 'fetch' }>, 'direction' | 'count' | 'move'>,
  place: CursorPlace,
): CursorWalk {
  const { direction, count, move } = command;
  switch (direction) {
    case 'forward':
      return count > 0 ? forward(0, count) : count === 0 ? here(place, move) : backward;
    case 'backward':
      return count < 0 ? forward(0, -count) : count === 0 ? here(place, move) : backward;
    case 'relative':
      return count > 0 ? forward(count - 1, 1) : count === 0 ? here(place, move) : backward;
    case 'absolute': {
      if (count === 0 && place.at === 'before') return { kind: 'stay', rows: 0 };
      const position = place.rows + (place.at === 'after' ? 1 : 0);
      return count > position ? forward(count - position - 1, 1) : backward;
    }
  }
}

const backward: CursorWalk = { kind: 'backward' };

function forward(skip: number, count: number): CursorWalk {
  return { kind: 'forward', skip, count };
}

/** FETCH 0 reads the current row again; MOVE 0 only asks whether there is one. */
function here({ at }: CursorPlace, move: boolean): CursorWalk {
  if (at !== 'on') return { kind: 'stay', rows: 0 };
  return move ? { kind: 'stay', rows: 1 } : backward;
}
