import type { WireClient } from '../support/wire-client.ts';
import { simplerQueries } from './query.ts';
import type { Step } from './scenario.ts';
import { compareStep, type Sides } from './sides.ts';

/** Everything that holds rows: the plain server and the primaries of all shards. */
export type RowHolders = readonly WireClient[];

/** Drops clauses while the answers still differ. Only for statements that read. */
export async function shrinkStep(step: Step, sides: Sides): Promise<Step> {
  const differs = async (candidate: Step) =>
    (await compareStep(candidate, sides)).kind === 'different';
  const simple: Step = { query: step.query, mode: { protocol: 'simple' } };
  let best = (await differs(simple)) ? simple : step;
  for (;;) {
    const candidates = simplerQueries(best.query).map((query): Step => ({ ...best, query }));
    const smaller = await firstThat(candidates, differs);
    if (smaller === null) return best;
    best = smaller;
  }
}

/**
 * Deletes rows of the tables while the answers still differ, and puts them back afterwards. Returns
 * the rows that are needed, by table.
 */
export async function shrinkRows(
  step: Step,
  tables: readonly string[],
  sides: Sides,
  holders: RowHolders,
): Promise<ReadonlyMap<string, readonly (string | null)[][]>> {
  const onAll = async (text: string): Promise<(string | null)[][]> =>
    (await Promise.all(holders.map((holder) => holder.query(text)))).flat();
  const differs = async () => (await compareStep(step, sides)).kind === 'different';
  for (const table of tables) {
    await onAll(`create table kept_${table} as table ${table}`);
  }
  const needed = new Map<string, readonly (string | null)[][]>();
  try {
    for (const table of tables) {
      await halve(await rowNumbers(holders, table), table, onAll, differs);
    }
    for (const table of tables)
      needed.set(table, (await holders[0]?.query(`table ${table}`)) ?? []);
    return needed;
  } finally {
    for (const table of tables) {
      await onAll(
        `insert into ${table} select * from kept_${table} k
         where not exists (select from ${table} t where t.rid = k.rid); drop table kept_${table}`,
      );
    }
  }
}

async function rowNumbers(holders: RowHolders, table: string): Promise<string[]> {
  const rows = await holders[0]?.query(`select rid from ${table} order by rid`);
  return (rows ?? []).map(([rid]) => rid ?? '');
}

/** Removes the rows, or one half after the other, down to single rows: those that matter stay. */
async function halve(
  rids: readonly string[],
  table: string,
  onAll: (text: string) => Promise<unknown>,
  differs: () => Promise<boolean>,
): Promise<void> {
  if (rids.length === 0) return;
  const condition = `rid in (${rids.join()})`;
  await onAll(`delete from ${table} where ${condition}`);
  if (await differs()) return;
  await onAll(`insert into ${table} select * from kept_${table} where ${condition}`);
  if (rids.length === 1) return;
  const middle = Math.ceil(rids.length / 2);
  await halve(rids.slice(0, middle), table, onAll, differs);
  await halve(rids.slice(middle), table, onAll, differs);
}

async function firstThat<Item>(
  items: readonly Item[],
  holds: (item: Item) => Promise<boolean>,
): Promise<Item | null> {
  for (const item of items) if (await holds(item)) return item;
  return null;
}
