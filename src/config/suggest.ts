/**
 * `did you mean "x"?` for the candidate that is written most alike, or a list of what is known; to
 * be used as a remedy.
 */
export function suggest(written: string, candidates: readonly string[]): string {
  const near = nearest(written, candidates);
  if (near !== null) return `did you mean "${near}"?`;
  return candidates.length === 0 ? 'nothing is known here' : `use one of: ${candidates.join(', ')}`;
}

function nearest(written: string, candidates: readonly string[]): string | null {
  const distanceMax = Math.min(written.length - 1, Math.max(1, Math.floor(written.length / 3)));
  let best: { readonly name: string; readonly distance: number } | null = null;
  for (const name of candidates) {
    const distance = editDistance(written.toLowerCase(), name.toLowerCase());
    if (distance <= distanceMax && distance < (best?.distance ?? Infinity)) {
      best = { name, distance };
    }
  }
  return best?.name ?? null;
}

/** Insertions, deletions, substitutions and swaps of neighbours that make `to` of `from`. */
function editDistance(from: string, to: string): number {
  let beforeLast: readonly number[] = [];
  let last: readonly number[] = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const isSame = from[i - 1] === to[j - 1];
      const isSwapped = i > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row.push(
        Math.min(
          (last[j - 1] ?? 0) + (isSame ? 0 : 1),
          (last[j] ?? 0) + 1,
          (row[j - 1] ?? 0) + 1,
          isSwapped ? (beforeLast[j - 2] ?? 0) + 1 : Infinity,
        ),
      );
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length] ?? 0;
}
