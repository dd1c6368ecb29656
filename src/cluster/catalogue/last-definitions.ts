import type { LeftoverNames } from './catalogue-snapshot.ts';
import type { ServerFunction } from './read-functions.ts';
import { fullName, type RelationRow } from './shard-catalogue.ts';

/** What of a server can only be read by locking relations, or is looked for in such. */
export type Definitions = {
  readonly relations: readonly RelationRow[];
  readonly functions: readonly ServerFunction[];
  readonly leftovers: LeftoverNames;
};

type Last = Definitions & {
  readonly functionsState: string;
  /** By `schema.name` of a view. */
  readonly views: ReadonlyMap<string, { readonly basis: string; readonly definition: string }>;
};

/**
 * The definitions of one server as they were read last. They stand in while somebody holds a table of a
 * view so that nobody else can read the view's definition, as an ALTER TABLE that rewrites it does for
 * minutes: what else has changed meanwhile must be known.
 */
export class LastDefinitions {
  #last: Last | null = null;

  get isEmpty(): boolean {
    return this.#last === null;
  }

  keep(definitions: Definitions, functionsState: string): void {
    const rows = byName(definitions.relations);
    const views = new Map(
      definitions.relations.flatMap((row) => {
        const { definition } = row;
        return definition === null
          ? []
          : [[fullName(row), { basis: basisOf(row, rows), definition }] as const];
      }),
    );
    this.#last = { ...definitions, functionsState, views };
  }

  /** `relations` were read without definitions. Null when some of what is missing may have changed. */
  complete(relations: readonly RelationRow[], functionsState: string): Definitions | null {
    const last = this.#last;
    if (last === null || last.functionsState !== functionsState) return null;
    const { functions, leftovers } = last;
    // Without functions that leave something there is nothing that could call one.
    if (leftovers.names.length > 0 || leftovers.settings.length > 0) return null;
    const rows = byName(relations);
    const completed: RelationRow[] = [];
    for (const row of relations) {
      if (row.rule === null) {
        completed.push(row);
        continue;
      }
      const known = last.views.get(fullName(row));
      if (known === undefined || known.basis !== basisOf(row, rows)) return null;
      completed.push({ ...row, definition: known.definition });
    }
    return { relations: completed, functions, leftovers };
  }
}

function byName(rows: readonly RelationRow[]): ReadonlyMap<string, RelationRow> {
  return new Map(rows.map((row) => [fullName(row), row]));
}

/** As long as it is the same, so is the view's definition: its rule, and the names that are used in it. */
function basisOf({ rule, reads }: RelationRow, rows: ReadonlyMap<string, RelationRow>): string {
  const used = reads.map((name) => [name, rows.get(name)?.columns.map((column) => column.name)]);
  return JSON.stringify([rule, used]);
}
