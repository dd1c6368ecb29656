import { tablesOfFunction } from '../catalogue/read-functions.ts';

/** Something that the shards should have alike. */
export type SchemaObject = {
  /** PostgreSQL's word: `table`, `column`, `function` ... */
  readonly kind: string;
  readonly name: string;
  /** `schema.name` of the relation that it is, or belongs to; null: it belongs to none. */
  readonly relation: string | null;
  /** Equal texts are equal objects. */
  readonly definition: string;
};

/** A server session; rows are objects by column name. */
export type ObjectSession = {
  query(
    sql: string,
    values: readonly string[],
  ): Promise<readonly { readonly [column: string]: unknown }[]>;
};

/**
 * What the database of a server consists of, but for rows, and for what belongs to the relations
 * (`schema.name`) of `without`. The search path must be pg_catalog.
 */
export async function readSchemaObjects(
  session: ObjectSession,
  without: readonly string[],
): Promise<readonly SchemaObject[]> {
  const [row] = await session.query(
    `${objectsSql} select coalesce(json_agg(json_build_object('kind', kind, 'name', name,
      'relation', relation, 'definition', definition) ${order}), '[]')::text as answer
    from wanted`,
    [JSON.stringify(without)],
  );
  return JSON.parse(String(row?.['answer'] ?? '[]')) as readonly SchemaObject[];
}

/** Equal texts: `readSchemaObjects` would give the same. */
export async function readSchemaDigest(
  session: ObjectSession,
  without: readonly string[],
): Promise<string> {
  const [row] = await session.query(
    `${objectsSql} select coalesce(md5(string_agg(md5(concat_ws(E'\\n', kind, name, definition)), ''
      ${order})), '') as answer from wanted`,
    [JSON.stringify(without)],
  );
  return String(row?.['answer'] ?? '');
}

/** The same under every locale. */
const order = 'order by kind collate "C", name collate "C"';

/**
 * Where values of a sequence begin and how they grow differs from shard to shard on purpose. What
 * belongs to an extension is as its version.
 */
const objectsSql = `
  with space as (
    select oid, nspname, nspowner, nspacl from pg_namespace
    where nspname !~ '^pg_' and nspname not in ('information_schema', 'pgweave')
  ),
  member as (select classid, objid from pg_depend where deptype = 'e'),
  relation as (
    select c.*, s.nspname, s.nspname || '.' || c.relname as full_name
    from pg_class c join space s on s.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relpersistence <> 't'
      and not exists (
        select from member m where m.classid = 'pg_class'::regclass and m.objid = c.oid)
  ),
  object(kind, name, relation, definition) as (
    select 'schema', nspname::text, null::text,
      concat_ws(' ', 'owned by', pg_get_userbyid(nspowner), ${grants('nspacl')})
    from space
    union all
    select 'extension', extname::text, null, extversion from pg_extension
    union all
    select 'role', rolname::text, null, concat_ws(' ',
      case when rolsuper then 'superuser' end, case when not rolinherit then 'noinherit' end,
      case when rolcreaterole then 'createrole' end, case when rolcreatedb then 'createdb' end,
      case when rolcanlogin then 'login' else 'nologin' end, case when rolreplication then 'replication' end,
      case when rolbypassrls then 'bypassrls' end, rolconfig::text)
    from pg_roles where rolname !~ '^pg_'
    union all
    select case t.typtype when 'd' then 'domain' else 'type' end,
      s.nspname || '.' || t.typname, null,
      case t.typtype
        when 'e' then 'enum (' || coalesce((
          select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
          from pg_enum e where e.enumtypid = t.oid), '') || ')'
        when 'd' then concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
          case when t.typnotnull then 'not null' end, 'default ' || t.typdefault, (
            select string_agg(pg_get_constraintdef(k.oid), ' ' order by k.conname)
            from pg_constraint k where k.contypid = t.oid and k.contype = 'c'))
        when 'c' then '(' || coalesce((
          select string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', '
            order by a.attnum)
          from pg_attribute a
          where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped), '') || ')'
        else t.typtype::text
      end
    from pg_type t join space s on s.oid = t.typnamespace
    where t.typtype in ('e', 'd', 'c', 'r')
      and (t.typrelid = 0 or exists (
        select from pg_class c where c.oid = t.typrelid and c.relkind = 'c'))
      and not exists (
        select from member m where m.classid = 'pg_type'::regclass and m.objid = t.oid)
    union all
    select case p.prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end,
      p.oid::regprocedure::text, (
        select t from unnest(${tablesOfFunction('p.oid')}) t
        where t in (select value from json_array_elements_text($1::json)) limit 1),
      case when p.prokind = 'a' then (
        select concat_ws(' ', g.aggtransfn::text, g.aggfinalfn::text, format_type(g.aggtranstype, null),
          g.agginitval)
        from pg_aggregate g where g.aggfnoid = p.oid)
      else concat_ws(' ', pg_get_functiondef(p.oid), ${grants('p.proacl')}) end
    from pg_proc p join space s on s.oid = p.pronamespace
    where not exists (
      select from member m where m.classid = 'pg_proc'::regclass and m.objid = p.oid)
    union all
    select 'operator', o.oid::regoperator::text, null, o.oprcode::text
    from pg_operator o join space s on s.oid = o.oprnamespace
    where not exists (
      select from member m where m.classid = 'pg_operator'::regclass and m.objid = o.oid)
    union all
    select 'collation', s.nspname || '.' || l.collname, null,
      concat_ws(' ', l.collprovider, l.collcollate, l.collisdeterministic::text)
    from pg_collation l join space s on s.oid = l.collnamespace
    where not exists (
      select from member m where m.classid = 'pg_collation'::regclass and m.objid = l.oid)
    union all
    select case r.relkind when 'v' then 'view' when 'm' then 'materialized view'
        when 'S' then 'sequence' when 'f' then 'foreign table' else 'table' end,
      r.full_name, r.full_name,
      concat_ws(' ', r.relkind::text, r.relpersistence::text, pg_get_partkeydef(r.oid),
        pg_get_expr(r.relpartbound, r.oid),
        case when r.relrowsecurity then 'row level security' end,
        case when r.relforcerowsecurity then 'forced' end, r.reloptions::text,
        'owned by ' || pg_get_userbyid(r.relowner), ${grants('r.relacl')},
        case when r.relkind = 'v' then pg_get_viewdef(r.oid) end,
        (select concat_ws(' ', format_type(q.seqtypid, null), q.seqmin, q.seqmax,
          case when q.seqcycle then 'cycle' end)
          from pg_sequence q where q.seqrelid = r.oid),
        (select 'in ' || string_agg(h.inhparent::regclass::text, ', ' order by h.inhseqno)
          from pg_inherits h where h.inhrelid = r.oid))
    from relation r
    union all
    select 'column', r.full_name || '.' || a.attname, r.full_name,
      concat_ws(' ', format_type(a.atttypid, a.atttypmod),
        case when l.collname <> 'default' then 'collate ' || l.collname end,
        case when a.attnotnull then 'not null' end,
        case when a.attgenerated <> '' then 'generated' end,
        case a.attidentity when 'a' then 'identity always' when 'd' then 'identity' end,
        'default ' || pg_get_expr(d.adbin, d.adrelid), ${grants('a.attacl')})
    from relation r
      join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef d on d.adrelid = r.oid and d.adnum = a.attnum
      left join pg_collation l on l.oid = a.attcollation
    where r.relkind in ('r', 'p', 'f')
    union all
    select 'constraint', r.full_name || '.' || k.conname, r.full_name,
      pg_get_constraintdef(k.oid) || case when k.convalidated then '' else ' not valid' end
    from relation r join pg_constraint k on k.conrelid = r.oid
    where k.contype <> 'n' and k.contype <> 't'
    union all
    select 'index', r.nspname || '.' || ic.relname, r.full_name,
      pg_get_indexdef(i.indexrelid) || case when i.indisvalid then '' else ' invalid' end
    from relation r join pg_index i on i.indrelid = r.oid
      join pg_class ic on ic.oid = i.indexrelid
    union all
    select 'trigger', r.full_name || '.' || g.tgname, r.full_name,
      pg_get_triggerdef(g.oid) || case g.tgenabled when 'O' then '' else ' ' || g.tgenabled::text end
    from relation r join pg_trigger g on g.tgrelid = r.oid and not g.tgisinternal
    union all
    select 'policy', r.full_name || '.' || y.polname, r.full_name,
      concat_ws(' ', y.polcmd, y.polpermissive::text, (
          select string_agg(case u when 0 then 'public' else pg_get_userbyid(u) end, ', ')
          from unnest(y.polroles) u),
        'using ' || pg_get_expr(y.polqual, r.oid), 'check ' || pg_get_expr(y.polwithcheck, r.oid))
    from relation r join pg_policy y on y.polrelid = r.oid
    union all
    select 'rule', r.full_name || '.' || w.rulename, r.full_name, pg_get_ruledef(w.oid)
    from relation r join pg_rewrite w on w.ev_class = r.oid and w.rulename <> '_RETURN'
  ),
  wanted as (
    select kind, name, relation, coalesce(definition, '') as definition from object
    where relation is null
      or relation not in (select value from json_array_elements_text($1::json))
  )`;

/** Of an ACL, in an order that does not tell who was granted first. */
function grants(column: string): string {
  return `(select 'granted ' || string_agg(item::text, ', ' order by item::text) from unnest(${column}) item)`;
}
