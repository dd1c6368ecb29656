import type { ControlConnection } from '../control-connection.ts';
import { type RelationRow, relationsSql } from './shard-catalogue.ts';

/**
 * The relations of pg_catalog and information_schema, which are most of all in a small database and
 * change with the server's version, or when an extension puts some there: read again only then.
 */
export class SystemRelations {
  #state = '';
  #rows: readonly RelationRow[] = [];

  async read(session: ControlConnection): Promise<readonly RelationRow[]> {
    const [row] = await session.query<{ readonly state: string }>(stateSql);
    const state = row?.state ?? '';
    if (state !== this.#state) {
      this.#rows = await session.query<RelationRow>(relationsSql(systems));
      this.#state = state;
    }
    return this.#rows;
  }
}

const systems = "n.nspname in ('pg_catalog', 'information_schema')";

/** A relation that comes, goes or is changed has a row of another transaction. */
const stateSql = `
  select concat_ws(' ', version(), count(*), max(c.oid),
    md5(string_agg(c.oid || ' ' || c.xmin, ',' order by c.oid))) as state
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where ${systems}`;
