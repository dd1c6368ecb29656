import type { Telemetry } from '../base/telemetry.ts';
import type { AdminResult } from '../frontend/admin-console.ts';
import { mapRows } from '../sharding/map-rows.ts';
import type { ShardMap } from '../sharding/shard-map.ts';
import type { ClusterView } from './cluster-view.ts';

/** The words after RELOAD. */
export type ReloadWords = { readonly allowStranded: boolean; readonly dryRun: boolean };

/** A string: what is wrong with them. */
export function readReloadWords(words: readonly string[]): ReloadWords | string {
  let allowStranded = false;
  let dryRun = false;
  let rest = words;
  for (;;) {
    const phrase = rest.slice(0, 3).join(' ').toLowerCase();
    if (phrase === 'with dry run') dryRun = true;
    else if (phrase === 'allow stranded rows') allowStranded = true;
    else break;
    rest = rest.slice(3);
  }
  const [word] = rest;
  if (word === ';') return 'the admin console takes one command at a time';
  if (word !== undefined) return `unexpected "${word}" at the end of the command`;
  return { allowStranded, dryRun };
}

/** Reads the configuration file again, or says what that would do. */
export async function reload(
  view: ClusterView,
  telemetry: Telemetry,
  user: { readonly name: string },
  { allowStranded, dryRun }: ReloadWords,
): Promise<AdminResult> {
  if (dryRun) return await rehearse(view);
  telemetry.log('info', 'reload asked for on the console', { user: user.name, allowStranded });
  const { warnings } = await view.reload({ allowStranded });
  const notice = warnings.length === 0 ? null : warnings.join('; ');
  return { columns: [], rows: [], tag: 'RELOAD', notice };
}

async function rehearse(view: ClusterView): Promise<AdminResult> {
  const { before, after, warnings, stranded } = await view.rehearseReload();
  const [old, edited] = [lines(before), lines(after)];
  const verdict =
    stranded.length > 0
      ? 'refused: rows that are there would not be found any more'
      : 'the file would be adopted';
  return {
    columns: ['change', 'what', 'shard', 'rows'],
    rows: [
      ...missing(old, edited).map(([what, shard]) => ['remove', what, shard, null]),
      ...missing(edited, old).map(([what, shard]) => ['add', what, shard, null]),
      ...stranded.map(({ table, shard, rows, because }) => [
        'strand',
        `${table}: ${because}`,
        shard,
        String(rows),
      ]),
    ],
    tag: 'RELOAD',
    notice: ['dry run: '.concat(verdict), ...warnings].join('; '),
  };
}

type Line = readonly [what: string, shard: string | null];

/** The map as SHOW MAP has it, a text for each of its rows. */
function lines(map: ShardMap): readonly Line[] {
  return mapRows(map).map(({ distribution, method, from, to, share, shard, tables }) => {
    const range =
      method === 'ranges' ? `from ${from ?? 'the first key'} to ${to ?? 'the last'}` : share;
    const parts = [distribution, method, range, tables === null ? null : `(${tables})`];
    return [parts.filter((part) => part !== null).join(' '), shard];
  });
}

function missing(some: readonly Line[], others: readonly Line[]): readonly Line[] {
  const known = new Set(others.map((line) => JSON.stringify(line)));
  return some.filter((line) => !known.has(JSON.stringify(line)));
}
