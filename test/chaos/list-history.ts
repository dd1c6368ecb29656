/** One step of a transaction on lists that only grow; each value is appended once in all history. */
export type ListStep =
  | { readonly kind: 'append'; readonly key: number; readonly value: number }
  | { readonly kind: 'read'; readonly key: number; readonly values: readonly number[] };

export type ListTransaction = {
  readonly steps: readonly ListStep[];
  /** `denied`: its client was told that it is certainly not done. */
  readonly outcome: 'committed' | 'denied' | 'unknown';
};

type Lists = ReadonlyMap<number, readonly number[]>;

/**
 * Whether serializable transactions had one order, by the lists as they are in the end. A list tells the
 * order of its writers by itself; whoever read a part of it came after the writer of its last value and
 * before that of the next one. A circle of such relations means that no order exists. In words; empty:
 * there is one. The idea is Elle's (Kingsbury, Alvaro: "Elle: Inferring Isolation Anomalies from
 * Experimental Observations", 2020).
 */
export function listFindings(
  transactions: readonly ListTransaction[],
  final: Lists,
): readonly string[] {
  const writers = new Map<number, number>();
  for (const [index, { steps }] of transactions.entries()) {
    for (const step of steps) if (step.kind === 'append') writers.set(step.value, index);
  }
  const findings = new Set<string>();
  for (const values of final.values()) {
    for (const value of values) {
      const writer = transactions[writers.get(value) ?? -1];
      if (writer?.outcome === 'denied') findings.add('a denied transaction has appended a value');
    }
    if (new Set(values).size < values.length) findings.add('a value was appended twice');
  }
  const stored = new Set([...final.values()].flat());
  for (const { steps, outcome } of transactions) {
    if (outcome !== 'committed') continue;
    for (const step of steps) {
      if (step.kind === 'append' && !stored.has(step.value)) findings.add('an append is lost');
      if (step.kind === 'read' && !isPrefix(step.values, final.get(step.key) ?? [])) {
        findings.add('somebody has read a list that never was');
      }
    }
  }
  if (hasCircle(relationsOf(transactions, final, writers))) {
    findings.add('transactions are in no order');
  }
  return [...findings];
}

function isPrefix(values: readonly number[], whole: readonly number[]): boolean {
  return values.every((value, index) => value === whole[index]);
}

/** From each transaction to those that must come after it. */
function relationsOf(
  transactions: readonly ListTransaction[],
  final: Lists,
  writers: ReadonlyMap<number, number>,
): ReadonlyMap<number, ReadonlySet<number>> {
  const after = new Map<number, Set<number>>();
  const relate = (from: number | undefined, to: number | undefined) => {
    if (from === undefined || to === undefined || from === to) return;
    after.set(from, (after.get(from) ?? new Set()).add(to));
  };
  const writerOf = (value: number | undefined) =>
    value === undefined ? undefined : writers.get(value);
  for (const values of final.values()) {
    for (const [index, value] of values.entries()) {
      relate(writerOf(value), writerOf(values[index + 1]));
    }
  }
  for (const [index, { steps, outcome }] of transactions.entries()) {
    if (outcome !== 'committed') continue;
    for (const step of steps) {
      if (step.kind !== 'read') continue;
      relate(writerOf(step.values.at(-1)), index);
      relate(index, writerOf(final.get(step.key)?.[step.values.length]));
    }
  }
  return after;
}

function hasCircle(after: ReadonlyMap<number, ReadonlySet<number>>): boolean {
  const open = new Set<number>();
  const done = new Set<number>();
  for (const start of after.keys()) {
    const path = [{ node: start, next: [...(after.get(start) ?? [])] }];
    open.add(start);
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const node = top.next.pop();
      if (node === undefined) {
        open.delete(top.node);
        done.add(top.node);
        path.pop();
      } else if (open.has(node)) {
        return true;
      } else if (!done.has(node)) {
        open.add(node);
        path.push({ node, next: [...(after.get(node) ?? [])] });
      }
    }
  }
  return false;
}
