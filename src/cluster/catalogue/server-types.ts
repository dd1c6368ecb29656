import type { TypeParts, TypeTranslation } from '../../protocol/type-translation.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ControlConnection } from '../control-connection.ts';

/** A type that one server gave an OID to, or that holds values of others. */
export type ServerType = {
  /** `schema.name`. */
  readonly name: string;
  readonly oid: number;
  readonly parts: TypeParts | null;
};

/** For one shard, by the OIDs of its servers; plain JSON. */
export type TypeDifferences = {
  readonly shard: ShardId;
  /** The shard's OID and the home shard's, where they differ. */
  readonly oids: readonly (readonly [shard: number, home: number])[];
  readonly parts: readonly (readonly [oid: number, parts: TypeParts])[];
};

type Row = {
  readonly name: string;
  readonly oid: number;
  readonly kind: 'array' | 'record' | 'range' | 'multirange' | 'domain' | null;
  readonly of: number;
};

/** Anonymous records and arrays of them may hold anything; of the other built-in types none does. */
const sql = `
  select n.nspname || '.' || t.typname as name, t.oid::int8::float8 as oid,
    case
      when t.typsubscript = 'array_subscript_handler'::regproc then 'array'
      when t.typtype = 'c' or t.oid = 'record'::regtype then 'record'
      when t.typtype = 'r' then 'range'
      when t.typtype = 'm' then 'multirange'
      when t.typtype = 'd' then 'domain'
    end as kind,
    coalesce(r.rngsubtype, m.rngtypid, nullif(t.typbasetype, 0), 0)::int8::float8 as of
  from pg_type t
    join pg_namespace n on n.oid = t.typnamespace
    left join pg_range r on r.rngtypid = t.oid
    left join pg_range m on m.rngmultitypid = t.oid
  where (t.oid >= 16384 or t.oid in ('record'::regtype, 'record[]'::regtype))
    and n.nspname !~ '^pg_(toast|temp)' and n.nspname <> 'pgweave'
  order by t.oid`;

export async function readServerTypes(session: ControlConnection): Promise<readonly ServerType[]> {
  const rows = await session.query<Row>(sql);
  return rows.map(({ name, oid, kind, of }) => ({ name, oid, parts: partsOf(kind, of) }));
}

function partsOf(kind: Row['kind'], of: number): TypeParts | null {
  if (kind === null || kind === 'array' || kind === 'record')
    return kind === null ? null : { kind };
  return { kind, of };
}

/** null: the shard's servers call every type as the home shard does. */
export function typeDifferences(
  shard: ShardId,
  types: readonly ServerType[],
  home: readonly ServerType[],
): TypeDifferences | null {
  const homeOids = new Map(home.map(({ name, oid }) => [name, oid]));
  const oids = types.flatMap(({ name, oid }) => {
    const homeOid = homeOids.get(name);
    return homeOid === undefined || homeOid === oid ? [] : [[oid, homeOid] as const];
  });
  if (oids.length === 0) return null;
  const parts = types.flatMap((type) =>
    type.parts === null ? [] : [[type.oid, type.parts] as const],
  );
  return { shard, oids, parts };
}

export function translationsOf(
  differences: readonly TypeDifferences[],
): ReadonlyMap<ShardId, TypeTranslation> {
  return new Map(differences.map((differing) => [differing.shard, translationOf(differing)]));
}

function translationOf({ oids, parts }: TypeDifferences): TypeTranslation {
  return {
    toHome: new Map(oids),
    toServer: new Map(oids.map(([shard, home]) => [home, shard])),
    parts: new Map(parts),
  };
}
