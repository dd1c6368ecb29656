import type { WrittenRow } from '../support/load.ts';

/** What a row says of the server that took it. */
export type Origin = { readonly epoch: number; readonly port: number };

/**
 * Whether two servers have acknowledged writes at a time: an epoch has one server, and what was begun
 * after an acknowledgement is of no lower epoch than that was. In words; empty: no.
 */
export function onePrimary(
  written: readonly WrittenRow[],
  origins: ReadonlyMap<number, Origin>,
): readonly string[] {
  const findings = new Set<string>();
  const ports = new Map<number, number>();
  for (const { epoch, port } of origins.values()) {
    const first = ports.get(epoch) ?? port;
    ports.set(epoch, first);
    if (first !== port) findings.add(`epoch ${epoch} has two servers, ${first} and ${port}`);
  }
  const rows = written.flatMap(({ id, startedMs, atMs }) => {
    const origin = origins.get(id);
    return origin === undefined ? [] : [{ startedMs, atMs, epoch: origin.epoch }];
  });
  const acknowledged = rows.toSorted((a, b) => a.atMs - b.atMs);
  let next = 0;
  let epochMax = 0;
  for (const { startedMs, epoch } of rows.toSorted((a, b) => a.startedMs - b.startedMs)) {
    for (let row = acknowledged[next]; row !== undefined && row.atMs < startedMs; ) {
      epochMax = Math.max(epochMax, row.epoch);
      next += 1;
      row = acknowledged[next];
    }
    if (epoch < epochMax) findings.add(`epoch ${epoch} acknowledged after epoch ${epochMax} did`);
  }
  return [...findings];
}
