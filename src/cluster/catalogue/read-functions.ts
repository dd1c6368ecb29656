import type { FunctionSchema } from '../../planner/schema.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ControlConnection } from '../control-connection.ts';

/** Functions of one name as the servers have them. */
export type FunctionSnapshot = Omit<FunctionSchema, 'isDeclared'> & {
  /** All shards have the same. */
  readonly isAlike: boolean;
};

/** As one server has them; `definition` is equal where they are the same. */
export type ServerFunction = Omit<FunctionSnapshot, 'isAlike'> & { readonly definition: string };

/** What `functionsSql` returns. */
export type FunctionRow = {
  readonly schema: string;
  readonly name: string;
  readonly kind: FunctionSchema['kind'];
  readonly immutable: boolean;
  readonly builtin: boolean;
  readonly hidden: boolean;
  readonly definition: string;
  readonly tables: readonly string[] | null;
  /** Definitions of procedures; null: none of that name is one. */
  readonly procedures: readonly string[] | null;
  /** Definitions of functions that can be read; null: none of that name can. */
  readonly bodies: readonly string[] | null;
};

/** Functions of users and extensions, with all overloads of a name together. */
export async function readFunctions(
  session: ControlConnection,
): Promise<readonly ServerFunction[]> {
  const rows = await session.query<FunctionRow>(functionsSql, []);
  return rows.map(functionOf);
}

export function functionOf({ immutable, builtin, hidden, ...row }: FunctionRow): ServerFunction {
  const { schema, name, kind, definition, procedures, tables, bodies } = row;
  const isOf = { isImmutable: immutable, isBuiltinName: builtin, isHidden: hidden };
  const known = {
    schema,
    name,
    kind,
    ...isOf,
    ...(tables === null ? {} : { tables }),
    ...(bodies === null ? {} : { bodies }),
    definition,
  };
  return procedures === null ? known : { ...known, procedures };
}

/** The home shard's; what is not the same on all shards may be anything. */
export function mergeFunctions(
  home: ShardId,
  byShard: ReadonlyMap<ShardId, readonly ServerFunction[]>,
): readonly FunctionSnapshot[] {
  const keyOf = ({ schema, name, isHidden }: Omit<ServerFunction, 'isImmutable' | 'definition'>) =>
    JSON.stringify([schema, name, isHidden]);
  const shards = [...byShard.values()].map(
    (functions) => new Map(functions.map((each) => [keyOf(each), each.definition])),
  );
  return (byShard.get(home) ?? []).map(({ definition, isImmutable, procedures, ...rest }) => {
    const isAlike = shards.every((functions) => functions.get(keyOf(rest)) === definition);
    const known = { ...rest, isImmutable: isImmutable && isAlike, isAlike };
    return procedures === undefined || !isAlike ? known : { ...known, procedures };
  });
}

/** One that comes, goes or is changed has a row of another transaction. */
export const functionsStateSql = `
  select concat_ws(' ', count(*), md5(string_agg(p.oid || ' ' || p.xmin, ',' order by p.oid))) as state
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where n.nspname not in ('pg_catalog', 'information_schema', 'pgweave')
    and n.nspname !~ '^pg_(toast|temp)'`;

/**
 * PostgreSQL does not ask whether what an aggregate calls is IMMUTABLE, so it is done here. OIDs differ
 * between servers, names do not.
 */
export const functionsSql = `
  with own as (
    select n.nspname, p.proname, p.oid, p.proargtypes,
      case p.prokind when 'p' then pg_get_functiondef(p.oid) end as procedure,
      case when p.prokind = 'f' and l.lanname in ('sql', 'plpgsql')
          and p.prorettype <> 'trigger'::regtype
        then pg_get_functiondef(p.oid) end as body,
      ${tablesOfFunction('p.oid')} as tables,
      case p.prokind
        when 'f' then case when p.proretset then 'set' else 'function' end
        when 'a' then case when exists (select from pg_aggregate a
          where a.aggfnoid = p.oid and a.aggsortop <> 0) then 'extreme' else 'aggregate' end
        else 'other' end as kind,
      p.provolatile = 'i' and not exists (
        select from pg_aggregate a
          join pg_proc f on f.oid in (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn)
        where a.aggfnoid = p.oid and f.provolatile <> 'i') as immutable,
      concat_ws(' ', p.prokind, p.proretset, p.provolatile, p.proisstrict,
        pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.proconfig,
        case when p.prokind <> 'a' then coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) end,
        (select concat_ws(' ', a.aggtransfn, a.aggfinalfn, a.aggtranstype::regtype, a.agginitval)
          from pg_aggregate a where a.aggfnoid = p.oid)) as definition
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      join pg_language l on l.oid = p.prolang
    where n.nspname not in ('pg_catalog', 'information_schema', 'pgweave')
      and n.nspname !~ '^pg_(toast|temp)'
  ),
  seen as (
    select o.*,
      exists (select from pg_proc b where b.pronamespace = 'pg_catalog'::regnamespace
        and b.proname = o.proname) as builtin,
      exists (select from pg_proc b where b.pronamespace = 'pg_catalog'::regnamespace
        and b.proname = o.proname and b.proargtypes = o.proargtypes) as hidden
    from own o
  )
  select nspname as schema, proname as name, hidden, bool_or(builtin) as builtin,
    bool_and(immutable) as immutable,
    case when count(distinct kind) = 1 then min(kind) else 'other' end as kind,
    md5(string_agg(definition, ',' order by definition collate "C")) as definition,
    json_agg(procedure) filter (where procedure is not null) as procedures,
    json_agg(body) filter (where body is not null) as bodies,
    (select json_agg(distinct t) from seen s, unnest(s.tables) t
      where s.nspname = seen.nspname and s.proname = seen.proname and s.hidden = seen.hidden) as tables
  from seen group by 1, 2, 3 order by 1, 2, 3`;

/**
 * `schema.name` of the relations that a function's arguments, result or parsed body (BEGIN ATOMIC) name;
 * what a body in quotes names is not known to the server.
 */
export function tablesOfFunction(oid: string): string {
  return `array(
    select distinct tn.nspname || '.' || tc.relname
    from pg_depend td
      left join pg_type tt on td.refclassid = 'pg_type'::regclass and tt.oid = td.refobjid
      join pg_class tc on tc.relkind in ('r', 'p', 'v', 'm', 'f')
        and tc.oid = case when td.refclassid = 'pg_class'::regclass then td.refobjid
          else tt.typrelid end
      join pg_namespace tn on tn.oid = tc.relnamespace
    where td.classid = 'pg_proc'::regclass and td.objid = ${oid} and tn.nspname !~ '^pg_')`;
}
