import type { CursorCommand } from '../../planner/commands/cursor-command.ts';

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
  /**
   * Only who can go back can do it: all steps but the last read rows that nobody sees, the rows of
   * the last one are the answer.
   */
  | { readonly kind: 'backward'; readonly steps: readonly CursorStep[] };

export type CursorStep =
  | { readonly kind: 'forward' | 'backward'; readonly count: number }
  | { readonly kind: 'rewind' };

/** Which rows FETCH or MOVE means. Source: DoPortalRunFetch of PostgreSQL's pquery.c. */
export function cursorWalk(
  command: Pick<Extract<CursorCommand, { kind: 'fetch' }>, 'direction' | 'count' | 'move'>,
  place: CursorPlace,
): CursorWalk {
  const { direction, count, move } = command;
  switch (direction) {
    case 'forward':
      return count > 0 ? forward(0, count) : count === 0 ? here(place, move) : back(-count);
    case 'backward':
      return count < 0 ? forward(0, -count) : count === 0 ? here(place, move) : back(count);
    case 'relative':
      if (count === 0) return here(place, move);
      return count > 0 ? forward(count - 1, 1) : back(-count - 1, 1);
    case 'absolute':
      return absolute(count, place);
  }
}

/** Counted from the first row, or, when negative, from the last. */
function absolute(count: number, place: CursorPlace): CursorWalk {
  if (count === 0 && place.at === 'before') return { kind: 'stay', rows: 0 };
  const position = place.rows + (place.at === 'after' ? 1 : 0);
  if (count > position) return forward(count - position - 1, 1);
  if (count >= 0) {
    const steps: CursorStep[] = [{ kind: 'rewind' }];
    if (count > 0) steps.push(step('forward', count - 1), step('forward', 1));
    return { kind: 'backward', steps };
  }
  const steps = [step('forward', Infinity), step('backward', -count - 1), step('backward', 1)];
  return { kind: 'backward', steps };
}

function step(kind: 'forward' | 'backward', count: number): CursorStep {
  return { kind, count };
}

function back(...counts: readonly number[]): CursorWalk {
  return { kind: 'backward', steps: counts.map((count) => step('backward', count)) };
}

function forward(skip: number, count: number): CursorWalk {
  return { kind: 'forward', skip, count };
}

/** FETCH 0 reads the current row again; MOVE 0 only asks whether there is one. */
function here({ at }: CursorPlace, move: boolean): CursorWalk {
  if (at !== 'on') return { kind: 'stay', rows: 0 };
  if (move) return { kind: 'stay', rows: 1 };
  return { kind: 'backward', steps: [step('backward', 1), step('forward', 1)] };
}
