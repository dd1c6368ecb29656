/** What a transaction has done to lists, each by its key. Every transaction appends its own id. */
export type ListTransaction = {
  readonly id: number;
  /** `unknown` as long as nobody has said how it ended. */
  outcome: 'committed' | 'denied' | 'unknown';
  readonly appends: number[];
  readonly reads: { readonly key: number; readonly elements: readonly number[] }[];
};

type Lists = ReadonlyMap<number, readonly number[]>;

/**
 * Holds a history against what is stored in the end, as Elle does with its list-append workload: since
 * a list says in which order transactions have written, whatever one of them has read says which were
 * before it. Broken promises in words; empty: none.
 */
export function judgeLists(history: readonly ListTransaction[], lists: Lists): readonly string[] {
  const findings: string[] = [];
  const told = (count: number, what: string) => {
    if (count > 0) findings.push(`${count} ${what}`);
  };
  const has = (key: number, id: number) => lists.get(key)?.includes(id) === true;
  const twice = [...lists.values()].filter((list) => new Set(list).size < list.length);
  told(twice.length, 'lists have an element twice');
  const lost = history.filter(
    ({ id, outcome, appends }) => outcome === 'committed' && !appends.every((key) => has(key, id)),
  );
  told(lost.length, 'acknowledged transactions have lost an append');
  const denied = history.filter(
    ({ id, outcome, appends }) => outcome === 'denied' && appends.some((key) => has(key, id)),
  );
  told(denied.length, 'denied transactions are there');
  const halves = history.filter(({ id, appends }) => {
    return appends.some((key) => has(key, id)) && !appends.every((key) => has(key, id));
  });
  told(halves.length, 'transactions are there by half');
  const dirty = history.flatMap(({ id, reads }) =>
    reads.filter(({ key, elements }) => !isPrefix(others(elements, id), lists.get(key) ?? [])),
  );
  told(dirty.length, 'reads have seen what is not there, or in another order');
  if (findings.length === 0)
    told(inCircles(history, lists), 'transactions are each before the other');
  return findings;
}

/** What it has appended itself may be undone later. */
function others(elements: readonly number[], id: number): readonly number[] {
  return elements.at(-1) === id ? elements.slice(0, -1) : elements;
}

function isPrefix(elements: readonly number[], list: readonly number[]): boolean {
  return elements.every((element, index) => element === list[index]);
}

/** How many transactions are on a circle of "wrote after" and "has read of", or behind one. */
function inCircles(history: readonly ListTransaction[], lists: Lists): number {
  const after = new Map<number, Set<number>>();
  const before = new Map<number, number>();
  const edge = (from: number | undefined, to: number | undefined) => {
    if (from === undefined || to === undefined || from === to) return;
    const known = after.get(from) ?? new Set();
    if (known.has(to)) return;
    after.set(from, known.add(to));
    before.set(to, (before.get(to) ?? 0) + 1);
  };
  for (const list of lists.values()) {
    for (const [index, element] of list.entries()) edge(element, list[index + 1]);
  }
  for (const { id, outcome, reads } of history) {
    if (outcome !== 'committed') continue;
    for (const { elements } of reads) edge(others(elements, id).at(-1), id);
  }
  const free = [...after.keys()].filter((id) => !before.has(id));
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    for (const next of after.get(id) ?? []) {
      const left = (before.get(next) ?? 0) - 1;
      if (left > 0) before.set(next, left);
      else {
        before.delete(next);
        free.push(next);
      }
    }
  }
  return before.size;
}
