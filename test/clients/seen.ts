/** What a client said of one thing; `seen` is JSON of its own choice. */
export type Seen = { readonly name: string; readonly seen: unknown };

export type ClientRun = {
  /** As the client tells it; null when it ended before it told. */
  readonly version: string | null;
  readonly things: readonly Seen[];
  /** Why it ended early, else null. */
  readonly failure: string | null;
};

export type Verdict =
  | { readonly kind: 'equal' }
  /** pgweave refused what PostgreSQL did. */
  | { readonly kind: 'refused'; readonly error: string }
  | { readonly kind: 'differs'; readonly pgweave: string; readonly plain: string };

/** Compares one thing on both sides; undefined: not told there. */
export function compareSeen(pgweave: unknown, plain: unknown): Verdict {
  const [ours, theirs] = [textOf(pgweave), textOf(plain)];
  // A thing that PostgreSQL cannot do either shows nothing: the program is wrong.
  const isMeaningful = errorOf(plain) === null;
  if (ours === theirs && isMeaningful) return { kind: 'equal' };
  const error = errorOf(pgweave);
  if (error?.startsWith('0A000') && isMeaningful) return { kind: 'refused', error };
  return { kind: 'differs', ...firstDifference(pgweave, plain) };
}

/** Goes down to what is not the same, so that a person need not look for it. */
function firstDifference(ours: unknown, theirs: unknown): { pgweave: string; plain: string } {
  if (isContainer(ours) && isContainer(theirs) && errorOf(ours) === errorOf(theirs)) {
    const keys = [...new Set([...Object.keys(ours), ...Object.keys(theirs)])];
    const key = keys.find((each) => textOf(ours[each]) !== textOf(theirs[each]));
    if (key !== undefined) {
      const { pgweave, plain } = firstDifference(ours[key], theirs[key]);
      return { pgweave: `[${key}] ${pgweave}`, plain: `[${key}] ${plain}` };
    }
  }
  return { pgweave: textOf(ours), plain: textOf(theirs) };
}

function isContainer(seen: unknown): seen is { readonly [key: string]: unknown } {
  return typeof seen === 'object' && seen !== null;
}

/** Clients tell an error as `{"error": SQLSTATE, "message": ...}`. */
function errorOf(seen: unknown): string | null {
  if (typeof seen !== 'object' || seen === null || !('error' in seen)) return null;
  return `${seen.error} ${'message' in seen ? seen.message : ''}`;
}

function textOf(seen: unknown): string {
  return seen === undefined ? 'nothing' : JSON.stringify(seen);
}
