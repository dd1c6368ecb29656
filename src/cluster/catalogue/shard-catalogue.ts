import type { CollationKind, ColumnSchema, RelationKind } from '../../planner/schema.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ControlConnection } from '../control-connection.ts';
import type { ColumnSequence } from '../sequences/sequence-state.ts';
import type { LeftoverNames, RelationSnapshot } from './catalogue-snapshot.ts';
import { collationKind } from './collation-kind.ts';
import type { ServerFunction } from './read-functions.ts';
import { readServerTypes, type ServerType } from './server-types.ts';

/** What a server says of itself that answers depend on. */
export type ServerTraits = {
  readonly defaultCollation: CollationKind;
  /** Provider, name and version of that collation. */
  readonly locale: string;
  /** Settings that all servers must agree on, by name. */
  readonly settings: ReadonlyMap<string, string>;
  readonly types: readonly ServerType[];
};

/** What one shard's primary says about its database. */
export type ShardCatalogue = ServerTraits &
  RelationCatalogue & {
    readonly shard: ShardId;
    /** Those that columns use. */
    readonly sequences: readonly ColumnSequence[];
    readonly functions: readonly ServerFunction[];
    readonly leftovers: LeftoverNames;
  };

export type RelationCatalogue = {
  /** By `schema.name`. */
  readonly relations: ReadonlyMap<string, RelationSnapshot>;
  /**
   * By `schema.name`: all unique indexes, those that are partial or on expressions included, and
   * exclusion constraints with the columns that they compare for equality.
   */
  readonly uniqueIndexes: ReadonlyMap<string, readonly UniqueIndex[]>;
  /** By `schema.name` of the table that refers to another one. */
  readonly foreignKeys: ReadonlyMap<string, readonly ForeignKey[]>;
};

export type UniqueIndex = { readonly name: string; readonly columns: readonly string[] };

export type ForeignKey = {
  readonly name: string;
  readonly columns: readonly string[];
  /** `schema.name` of the table that it refers to, and the columns there in the same order. */
  readonly referred: string;
  readonly referredColumns: readonly string[];
};

/** A row of `relationsSql`. */
export type RelationRow = {
  readonly schema: string;
  readonly name: string;
  readonly relkind: string;
  readonly columns: readonly {
    readonly name: string;
    readonly typeOid: number;
    readonly typeName: string;
    readonly notNull: boolean;
    readonly provider: string | null;
    readonly deterministic: boolean | null;
    readonly collate: string | null;
    readonly generated: boolean;
    readonly identity: '' | 'a' | 'd';
    readonly default: string | null;
  }[];
  readonly indexes: readonly (UniqueIndex & {
    readonly unique: boolean;
    /** Neither partial nor on expressions, nor an exclusion constraint. */
    readonly whole: boolean;
  })[];
  readonly foreign_keys: readonly ForeignKey[];
  readonly owned_by: string | null;
  readonly parents: readonly string[];
  readonly reads: readonly string[];
  readonly rows: number;
  readonly row_triggers: boolean;
  readonly user_triggers: boolean;
  readonly referring: readonly string[];
  /** Of a user's view: which version of its rule there is. */
  readonly rule: string | null;
  readonly definition: string | null;
};

const relationKinds: { readonly [relkind: string]: RelationKind } = {
  r: 'table',
  p: 'table',
  v: 'view',
  m: 'materialized-view',
  f: 'foreign-table',
  S: 'sequence',
  c: 'composite',
};

export function relationCatalogue(
  rows: readonly RelationRow[],
  sequences: readonly ColumnSequence[],
  defaultCollation: CollationKind,
): RelationCatalogue {
  const usedBy = new Map(sequences.map((sequence) => [fullName(sequence), sequence.tables]));
  const relations = rows.map((row) => ({
    ...relationOf(row, defaultCollation),
    usedBy: usedBy.get(fullName(row)) ?? [],
  }));
  return {
    relations: new Map(relations.map((relation) => [fullName(relation), relation])),
    uniqueIndexes: new Map(
      rows.map((row) => [fullName(row), row.indexes.filter(({ unique }) => unique)]),
    ),
    foreignKeys: new Map(rows.map((row) => [fullName(row), row.foreign_keys])),
  };
}

export async function readServerTraits(session: ControlConnection): Promise<ServerTraits> {
  const settings = await readSettings(session);
  const collation = await readDefaultCollation(session);
  const types = await readServerTypes(session);
  return { ...collation, settings, types };
}

export function fullName({
  schema,
  name,
}: {
  readonly schema: string;
  readonly name: string;
}): string {
  return `${schema}.${name}`;
}

export function relationOf(
  row: RelationRow,
  defaultCollation: CollationKind,
): Omit<RelationSnapshot, 'usedBy'> {
  const columns = row.columns.map(
    (column): ColumnSchema => ({
      name: column.name,
      typeOid: column.typeOid,
      typeName: column.typeName,
      notNull: column.notNull,
      ...(column.generated ? { isGenerated: true } : {}),
      ...(column.identity === '' ? {} : { isIdentity: true }),
      ...(column.identity === 'a' ? { isIdentityAlways: true } : {}),
      ...(column.default === null ? {} : { default: column.default }),
      collation:
        column.provider === null
          ? 'none'
          : collationKind(
              {
                provider: column.provider,
                deterministic: column.deterministic !== false,
                collate: column.collate,
              },
              defaultCollation,
            ),
    }),
  );
  return {
    schema: row.schema,
    name: row.name,
    kind: relationKinds[row.relkind] ?? 'table',
    columns,
    uniqueKeys: row.indexes
      .filter(({ unique, whole }) => unique && whole)
      .map(({ columns }) => columns),
    indexes: row.indexes.map(({ name }) => name),
    ownedBy: row.owned_by,
    lacking: [],
    parents: row.parents,
    reads: row.reads,
    estimatedRows: row.rows > 0 ? row.rows : null,
    hasRowTriggers: row.row_triggers,
    hasUserTriggers: row.user_triggers,
    referringColumns: row.referring,
    definition: row.definition,
  };
}

async function readSettings(session: ControlConnection): Promise<ReadonlyMap<string, string>> {
  // What a new session gets, not what this one was given.
  const rows = await session.query<{ name: string; value: string }>(
    `select name, reset_val as value from pg_settings
      where name = any (string_to_array($1, ','))`,
    [[...comparedSettings, preparedMax].join(',')],
  );
  return new Map(rows.map(({ name, value }) => [name, value]));
}

/** How many transactions can be prepared at the same time. */
export const preparedMax = 'max_prepared_transactions';

/** Settings on which the meaning or the text of an answer depends. */
export const comparedSettings = [
  'server_encoding',
  'integer_datetimes',
  'standard_conforming_strings',
  'TimeZone',
  'DateStyle',
  'IntervalStyle',
  'bytea_output',
  'extra_float_digits',
  'lc_monetary',
  'lc_numeric',
  'default_text_search_config',
  'xmloption',
  'server_version_num',
] as const;

async function readDefaultCollation(
  session: ControlConnection,
): Promise<Pick<ServerTraits, 'defaultCollation' | 'locale'>> {
  // The column of the locale's name is called datlocale since PostgreSQL 17.
  const [row] = await session.query<{ provider: string; collate: string; locale: string }>(
    `select d.datlocprovider as provider, d.datcollate as collate,
        concat_ws(' ', d.datlocprovider, d.datcollate, d.datctype, d.datcollversion,
          coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')) as locale
      from pg_database d where d.datname = current_database()`,
  );
  const facts = { provider: row?.provider ?? 'c', collate: row?.collate ?? null };
  const defaultCollation = collationKind({ ...facts, deterministic: true }, 'linguistic');
  return { defaultCollation, locale: row?.locale ?? '' };
}

/** Temporary relations belong to their sessions only. */
const all = "n.nspname !~ '^pg_(toast|temp)' and n.nspname <> 'pgweave'";
export const usersOwn = `${all} and n.nspname not in ('pg_catalog', 'information_schema')`;

/**
 * The relations of some schemas, one a row; `condition` is about `n`, a row of pg_namespace, `definition`
 * about `r`, a view.
 */
export const relationsSql = (condition: string, definition = 'pg_get_viewdef(r.oid)'): string => `
  with recursive domain(oid, base, not_null) as (
    select oid, typbasetype, typnotnull from pg_type where typtype = 'd'
    union all
    select d.oid, t.typbasetype, d.not_null or t.typnotnull
    from domain d join pg_type t on t.oid = d.base where t.typtype = 'd'
  ),
  base_type as (
    select t.oid, t.oid as base, t.typname, false as not_null
    from pg_type t where t.typtype <> 'd'
    union all
    select d.oid, t.oid, t.typname, d.not_null
    from domain d join pg_type t on t.oid = d.base where t.typtype <> 'd'
  ),
  relation as (
    select c.oid, n.nspname, c.relname, c.relkind, c.relhasindex, c.reltuples,
      n.nspname in ('pg_catalog', 'information_schema') as is_system
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
      and ${condition}
  )
  select r.nspname as schema, r.relname as name, r.relkind::text as relkind,
    r.reltuples::float8 as rows,
    -- Of users, and of foreign keys that refer to the table; bit 0 of tgtype is FOR EACH ROW.
    exists (
      select from pg_trigger g where g.tgrelid = r.oid and g.tgtype & 1 = 1
        and (not g.tgisinternal or exists (
          select from pg_constraint k where k.oid = g.tgconstraint and k.confrelid = r.oid))
    ) as row_triggers,
    exists (
      select from pg_trigger g where g.tgrelid = r.oid and not g.tgisinternal
    ) as user_triggers,
    coalesce((
      select json_agg(distinct a.attname)
      from pg_constraint k
        join pg_attribute a on a.attrelid = r.oid and a.attnum = any (k.conkey)
      where k.conrelid = r.oid and k.contype = 'f'
    ), '[]') as referring,
    case when r.relkind = 'v' and not r.is_system then (
      select w.xmin::text from pg_rewrite w where w.ev_class = r.oid and w.rulename = '_RETURN')
    end as rule,
    case when r.relkind = 'v' and not r.is_system then ${definition} end as definition,
    coalesce((
      select json_agg(json_build_object(
          'name', a.attname, 'typeOid', t.base::int8, 'typeName', t.typname,
          'notNull', a.attnotnull or t.not_null, 'provider', l.collprovider,
          'deterministic', l.collisdeterministic, 'collate', l.collcollate,
          'generated', a.attgenerated <> '', 'identity', a.attidentity,
          'default', case
            when r.is_system or a.attgenerated <> '' then null
            when a.attidentity <> '' then (
              select format('nextval(%L::regclass)', s.objid::regclass)
              from pg_depend s
              where s.classid = 'pg_class'::regclass and s.refclassid = 'pg_class'::regclass
                and s.refobjid = r.oid and s.refobjsubid = a.attnum and s.deptype = 'i')
            -- It names no column; with the table's OID it would wait for those who alter the table.
            else pg_get_expr(f.adbin, 0) end)
        order by a.attnum)
      from pg_attribute a
        join base_type t on t.oid = a.atttypid
        left join pg_collation l on l.oid = a.attcollation
        left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
      where a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    ), '[]') as columns,
    coalesce((
      select json_agg(json_build_object(
          'name', ic.relname,
          'unique', (i.indisunique or i.indisexclusion) and i.indisvalid,
          'whole', i.indpred is null and i.indexprs is null and not i.indisexclusion,
          'columns', (
            select coalesce(json_agg(a.attname order by k.position), '[]')
            from unnest(i.indkey::int2[]) with ordinality k(attnum, position)
              join pg_attribute a on a.attrelid = r.oid and a.attnum = k.attnum
            where k.position <= i.indnkeyatts and (not i.indisexclusion or exists (
              select from pg_constraint x join pg_operator o on o.oid = x.conexclop[k.position]
              where x.conindid = i.indexrelid and x.contype = 'x' and o.oprname = '='))))
        order by ic.relname)
      from pg_index i join pg_class ic on ic.oid = i.indexrelid
      where i.indrelid = r.oid
    ), '[]') as indexes,
    coalesce((
      select json_agg(json_build_object(
          'name', k.conname,
          'columns', (
            select json_agg(a.attname order by c.position)
            from unnest(k.conkey) with ordinality c(attnum, position)
              join pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.attnum),
          'referred', fn.nspname || '.' || f.relname,
          'referredColumns', (
            select json_agg(a.attname order by c.position)
            from unnest(k.confkey) with ordinality c(attnum, position)
              join pg_attribute a on a.attrelid = k.confrelid and a.attnum = c.attnum))
        order by k.conname)
      from pg_constraint k
        join pg_class f on f.oid = k.confrelid
        join pg_namespace fn on fn.oid = f.relnamespace
      where k.conrelid = r.oid and k.contype = 'f'
    ), '[]') as foreign_keys,
    case when r.relkind = 'S' then (
      select tn.nspname || '.' || t.relname
      from pg_depend d
        join pg_class t on t.oid = d.refobjid
        join pg_namespace tn on tn.oid = t.relnamespace
      where d.classid = 'pg_class'::regclass and d.objid = r.oid
        and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
    ) end as owned_by,
    coalesce((
      select json_agg(pn.nspname || '.' || p.relname order by h.inhseqno)
      from pg_inherits h
        join pg_class p on p.oid = h.inhparent
        join pg_namespace pn on pn.oid = p.relnamespace
      where h.inhrelid = r.oid
    ), '[]') as parents,
    case when r.is_system then '[]' else coalesce((
      select json_agg(distinct sn.nspname || '.' || s.relname)
      from pg_rewrite w
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
          and d.refclassid = 'pg_class'::regclass
        join pg_class s on s.oid = d.refobjid
        join pg_namespace sn on sn.oid = s.relnamespace
      where w.ev_class = r.oid and d.refobjid <> r.oid
    ), '[]') end as reads
  from relation r
  order by r.nspname, r.relname`;
