/** Commits wait for `count` of `names`: what a value of synchronous_standby_names means. */
export type SynchronousSet = { readonly count: number; readonly names: readonly string[] };

/** The setting with which commits wait for any `count` of exactly these standbys. */
export function namesFor({ count, names }: SynchronousSet): string {
  return `ANY ${count} (${names.map(quoted).join(', ')})`;
}

/**
 * Every commit that `setting` lets through is on at least `count` of `names`. `*`, which counts
 * whoever connects, and what is not understood are "no".
 */
export function waitsFor(setting: string, { count, names }: SynchronousSet): boolean {
  const set = readNames(setting);
  if (set === null || set.count < count) return false;
  const known = new Set(names.map(folded));
  return set.names.every((name) => known.has(name));
}

/** The setting names all of this set and nobody else, in whatever spelling. */
export function waitsForAllOf(setting: string, set: SynchronousSet): boolean {
  const current = readNames(setting);
  return current?.names.length === set.names.length && waitsFor(setting, set);
}

/** null: nobody is waited for, or it cannot be said for whom. Names in lower case. */
export function readNames(setting: string): SynchronousSet | null {
  const match = /^\s*(?:(?:(?:FIRST|ANY)\s+)?(\d{1,9})\s*\((.*)\)|(.*?))\s*$/is.exec(setting);
  const list = match?.[2] ?? match?.[3] ?? '';
  const count = Number(match?.[1] ?? 1);
  const elements = list.match(/"(?:[^"]|"")*"|[^\s,"]+|,|"/g) ?? [];
  const names: string[] = [];
  for (const [index, element] of elements.entries()) {
    if (index % 2 === 1) {
      if (element !== ',') return null;
      continue;
    }
    const name = nameOf(element);
    if (name === null) return null;
    names.push(name);
  }
  if (elements.length % 2 === 0 || count < 1 || count > names.length) return null;
  return { count, names };
}

/** Names match without regard to case; unquoted ones are identifiers. */
function nameOf(element: string): string | null {
  if (/^"(?:[^"]|"")+"$/.test(element)) return folded(element.slice(1, -1).replaceAll('""', '"'));
  return /^[a-z_][\w$]*$/i.test(element) ? folded(element) : null;
}

function folded(name: string): string {
  return name.toLowerCase();
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
