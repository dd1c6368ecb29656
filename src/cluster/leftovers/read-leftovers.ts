import type { LeftoverNames } from '../catalogue-snapshot.ts';
import type { SequenceSession } from '../sequences/read-sequences.ts';
import {
  type CallingObject,
  findLeftovers,
  type LeavingFunction,
  leavingPattern,
} from './find-leftovers.ts';

const noLeftoverNames: LeftoverNames = { names: [], settings: [] };

/** What of one server may leave something in its sessions. Most databases have nothing of the kind. */
export async function readLeftovers(session: SequenceSession): Promise<LeftoverNames> {
  const leaving = (await session.query(leavingSql)) as readonly LeavingFunction[];
  return await leftoversOf(leaving, async () => {
    const objects = await session.query(objectsSql);
    return objects as readonly CallingObject[];
  });
}

/** `readObjects` gives the rows of `objectsSql`; it is not called where nothing can come of it. */
export async function leftoversOf(
  leaving: readonly LeavingFunction[],
  readObjects: () => Promise<readonly CallingObject[]>,
): Promise<LeftoverNames> {
  return leaving.length === 0 ? noLeftoverNames : findLeftovers(leaving, await readObjects());
}

/** Functions may differ from shard to shard: what one of them has is minded on all. */
export function mergeLeftovers(all: readonly LeftoverNames[]): LeftoverNames {
  const union = (lists: readonly (readonly string[])[]) => [...new Set(lists.flat())].sort();
  return {
    names: union(all.map(({ names }) => names)),
    settings: union(all.map(({ settings }) => settings)),
  };
}

const isOfUsers = `n.nspname not in ('pg_catalog', 'information_schema', 'pgweave')
  and n.nspname !~ '^pg_(toast|temp)'`;

const bodySql = 'coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)';

/**
 * Those of languages that cannot be looked into count, unless they are extensions' functions in C:
 * of these only the ones that are known to.
 */
export const leavingSql = `
  select p.proname as name, ${bodySql} as body
  from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_language l on l.oid = p.prolang
  where ${isOfUsers} and p.prokind <> 'a'
    and case
      when l.lanname in ('sql', 'plpgsql')
        then ${bodySql} ~* '${leavingPattern.replaceAll("'", "''")}'
      when l.lanname = 'c' and exists (
        select from pg_catalog.pg_depend d
        where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
        then p.proname ~ '^(dblink|set_limit)'
      else true end`;

export const objectsSql = `
  select p.proname as name, ${bodySql} as text
  from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_language l on l.oid = p.prolang
  where ${isOfUsers} and p.prokind <> 'a' and l.lanname in ('sql', 'plpgsql')
  union all
  select p.proname, concat_ws(' ', a.aggtransfn, a.aggfinalfn, a.aggmtransfn, a.aggmfinalfn)
  from pg_catalog.pg_aggregate a
    join pg_catalog.pg_proc p on p.oid = a.aggfnoid
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where ${isOfUsers}
  union all
  select o.oprname, o.oprcode::text
  from pg_catalog.pg_operator o join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
  where ${isOfUsers}
  union all
  select c.relname, concat_ws(' ',
    (select string_agg(pg_get_expr(d.adbin, d.adrelid), ' ')
      from pg_catalog.pg_attrdef d where d.adrelid = c.oid),
    (select string_agg(pg_get_triggerdef(t.oid), ' ')
      from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal),
    (select string_agg(pg_get_constraintdef(k.oid), ' ')
      from pg_catalog.pg_constraint k where k.conrelid = c.oid and k.contype = 'c'),
    (select string_agg(concat_ws(' ', pg_get_expr(p.polqual, p.polrelid),
        pg_get_expr(p.polwithcheck, p.polrelid)), ' ')
      from pg_catalog.pg_policy p where p.polrelid = c.oid),
    (select string_agg(pg_get_ruledef(r.oid), ' ')
      from pg_catalog.pg_rewrite r where r.ev_class = c.oid),
    -- Cascades, and rows of partitions and inheritance children, call their triggers.
    (select string_agg(k.conrelid::regclass::text, ' ')
      from pg_catalog.pg_constraint k where k.confrelid = c.oid),
    (select string_agg(i.inhrelid::regclass::text, ' ')
      from pg_catalog.pg_inherits i where i.inhparent = c.oid))
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where ${isOfUsers} and c.relkind in ('r', 'p', 'v', 'm', 'f')`;
