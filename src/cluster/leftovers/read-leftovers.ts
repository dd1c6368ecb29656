import type { LeftoverNames } from '../catalogue/catalogue-snapshot.ts';
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
 * Those of languages that cannot be looked into count, unless they are extensions' functions in C, or
 * PostgreSQL's own, as the constructors of ranges are: of these only the ones that are known to.
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
      when l.lanname = 'internal' then p.prosrc ~ '^(set_config|pg_(try_)?advisory_)'
      else true end`;

const typeNamesOf = (oids: string) =>
  `(select string_agg(pg_catalog.format_type(named, null), ' ') from unnest(${oids}) named where named <> 0)`;

/**
 * With each object the types that it takes, gives or has: of a domain its checks are called, between types
 * casts are. Operator classes, event triggers and casts between PostgreSQL's own types, which only superusers
 * make, are not looked into.
 */
export const objectsSql = `
  select p.proname as name, concat_ws(' ',
    case when l.lanname in ('sql', 'plpgsql') then ${bodySql} end,
    pg_catalog.pg_get_function_arguments(p.oid), pg_catalog.pg_get_function_result(p.oid)) as text
  from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_language l on l.oid = p.prolang
  where ${isOfUsers} and p.prokind <> 'a'
  union all
  select p.proname, concat_ws(' ', a.aggtransfn, a.aggfinalfn, a.aggmtransfn, a.aggmfinalfn,
    pg_catalog.pg_get_function_arguments(p.oid), pg_catalog.format_type(a.aggtranstype, null))
  from pg_catalog.pg_aggregate a
    join pg_catalog.pg_proc p on p.oid = a.aggfnoid
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where ${isOfUsers}
  union all
  -- The planner may take the commutator, or the negator, in its place.
  select o.oprname, concat_ws(' ', o.oprcode::text, ${typeNamesOf('array[o.oprleft, o.oprright]')},
    (select string_agg(other.oprcode::text, ' ') from pg_catalog.pg_operator other
      where other.oid in (o.oprcom, o.oprnegate)))
  from pg_catalog.pg_operator o join pg_catalog.pg_namespace n on n.oid = o.oprnamespace
  where ${isOfUsers}
  union all
  select t.typname, concat_ws(' ', t.typdefault, ${typeNamesOf('array[t.typbasetype]')},
    (select string_agg(pg_get_constraintdef(k.oid), ' ')
      from pg_catalog.pg_constraint k where k.contypid = t.oid),
    (select string_agg(concat_ws(' ', r.rngsubdiff::text,
        ${typeNamesOf('array[r.rngsubtype, nullif(r.rngtypid, t.oid)]')}), ' ')
      from pg_catalog.pg_range r where t.oid in (r.rngtypid, r.rngmultitypid)),
    (select string_agg(k.castfunc::regproc::text, ' ')
      from pg_catalog.pg_cast k where t.oid in (k.castsource, k.casttarget) and k.castfunc <> 0))
  from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
  where ${isOfUsers} and t.typtype <> 'p'
  union all
  select c.relname, concat_ws(' ',
    ${typeNamesOf(`array(select a.atttypid from pg_catalog.pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)`)},
    (select string_agg(pg_get_expr(d.adbin, d.adrelid), ' ')
      from pg_catalog.pg_attrdef d where d.adrelid = c.oid),
    (select string_agg(pg_get_triggerdef(t.oid), ' ')
      from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal),
    (select string_agg(pg_get_constraintdef(k.oid), ' ')
      from pg_catalog.pg_constraint k where k.conrelid = c.oid and k.contype in ('c', 'x')),
    (select string_agg(concat_ws(' ', pg_get_expr(i.indexprs, i.indrelid),
        pg_get_expr(i.indpred, i.indrelid)), ' ')
      from pg_catalog.pg_index i where i.indrelid = c.oid),
    (select pg_get_expr(p.partexprs, p.partrelid)
      from pg_catalog.pg_partitioned_table p where p.partrelid = c.oid),
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
  where ${isOfUsers} and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')`;
