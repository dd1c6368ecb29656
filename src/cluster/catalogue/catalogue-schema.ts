import type { FunctionSchema, RelationSchema, Residence, Schema } from '../../planner/schema.ts';
import type { ShardMap, TableSharding } from '../../sharding/shard-map.ts';
import type { CatalogueSnapshot, RelationSnapshot } from './catalogue-snapshot.ts';
import { fullName } from './shard-catalogue.ts';

type Relations = ReadonlyMap<string, RelationSnapshot>;

/** Puts the servers' description and the shard map together into what the planner reads. */
export function schemaFromSnapshot(
  snapshot: CatalogueSnapshot,
  shardMap: ShardMap,
  version: number,
): Schema {
  const relations: Relations = new Map(
    snapshot.relations.map((relation) => [fullName(relation), relation]),
  );
  const families = familiesOf(snapshot.relations);
  const schemas = new Map<string, Map<string, RelationSchema>>();
  const indexes = new Map<string, Map<string, RelationSchema>>();
  for (const relation of snapshot.relations) {
    const { schema, name, kind, columns, uniqueKeys, hasRowTriggers, referringColumns } = relation;
    const { estimatedRows, definition, hasUserTriggers } = relation;
    const family = families.get(fullName(relation));
    const known: RelationSchema = {
      schema,
      name,
      kind,
      columns,
      uniqueKeys,
      estimatedRows,
      definition,
      hasRowTriggers,
      hasUserTriggers,
      ...(family === undefined ? {} : { family }),
      referringColumns,
      isInterleaved: relation.usedBy.some(
        (table) => shardMap.tables.get(table)?.kind === 'distributed',
      ),
      sharding: shardingOf(relation, relations, shardMap),
      residence: residenceOf(relation, relations, shardMap),
      readsDistributed:
        kind === 'view' && readsDistributed(relation, relations, shardMap, new Set()),
    };
    put(schemas, schema, name, known);
    for (const index of relation.indexes) put(indexes, schema, index, known);
  }
  const functions = new Map<string, FunctionSchema[]>();
  for (const { isAlike, ...each } of snapshot.functions) {
    const isDeclared = isAlike && shardMap.functions.has(fullName(each));
    const named = functions.get(each.name) ?? [];
    named.push({ ...each, isDeclared });
    functions.set(each.name, named);
  }
  return {
    version,
    leftovers: {
      names: new Set(snapshot.leftovers.names),
      settings: snapshot.leftovers.settings,
    },
    hasFunctions: functions.size > 0,
    functions(schema, name, searchPath) {
      const named = functions.get(name) ?? [];
      if (schema !== null) return named.filter((each) => each.schema === schema);
      return named.filter((each) => isVisible(each, searchPath));
    },
    defaultCollation: snapshot.defaultCollation,
    relation: (schema, name, searchPath) => find(schemas, schema, name, searchPath),
    indexed: (schema, name, searchPath) => find(indexes, schema, name, searchPath),
  };
}

/** pg_catalog comes first unless it is listed. */
function isVisible({ schema, isHidden }: FunctionSchema, searchPath: readonly string[]): boolean {
  const place = searchPath.indexOf(schema);
  return place !== -1 && (!isHidden || place < searchPath.indexOf('pg_catalog'));
}

type BySchema = Map<string, Map<string, RelationSchema>>;

function put(schemas: BySchema, schema: string, name: string, relation: RelationSchema): void {
  const inSchema = schemas.get(schema) ?? new Map<string, RelationSchema>();
  schemas.set(schema, inSchema);
  inSchema.set(name, relation);
}

function find(
  schemas: BySchema,
  schema: string | null,
  name: string,
  searchPath: readonly string[],
): RelationSchema | null {
  if (schema !== null) return schemas.get(schema)?.get(name) ?? null;
  const path = searchPath.includes('pg_catalog') ? searchPath : ['pg_catalog', ...searchPath];
  for (const entry of path) {
    const relation = schemas.get(entry)?.get(name);
    if (relation !== undefined) return relation;
  }
  return null;
}

/** Its own, or that of the nearest listed table it is a part of. */
export function shardingOf(
  relation: RelationSnapshot,
  relations: Relations,
  shardMap: ShardMap,
): TableSharding {
  const listed = shardMap.tables.get(fullName(relation));
  if (listed !== undefined) return listed;
  for (const name of relation.parents) {
    const parent = relations.get(name);
    const sharding = parent === undefined ? null : shardingOf(parent, relations, shardMap);
    if (sharding !== null && sharding.kind !== 'local') return sharding;
  }
  return { kind: 'local' };
}

/**
 * Sharded tables, views that read nothing else, composite types, and sequences are on every shard,
 * unless a table of the home shard owns the sequence. All other relations are on the home shard.
 */
export function residenceOf(
  relation: RelationSnapshot,
  relations: Relations,
  shardMap: ShardMap,
): Residence {
  return isOnEveryShard(relation, relations, shardMap, new Set())
    ? { kind: 'every-shard', lacking: relation.lacking }
    : { kind: 'home' };
}

function isOnEveryShard(
  relation: RelationSnapshot,
  relations: Relations,
  shardMap: ShardMap,
  seen: Set<string>,
): boolean {
  if (shardingOf(relation, relations, shardMap).kind !== 'local') return true;
  const all = (names: readonly string[]) =>
    names.every((name) => {
      const other = relations.get(name);
      if (other === undefined) return false;
      if (seen.has(name)) return true;
      seen.add(name);
      return isOnEveryShard(other, relations, shardMap, seen);
    });
  if (relation.kind === 'composite') return true;
  if (relation.kind === 'sequence') return relation.ownedBy === null || all([relation.ownedBy]);
  return relation.kind === 'view' && relation.reads.length > 0 && all(relation.reads);
}

/** A view may read the same relation on many ways; `seen` visits each once. */
function readsDistributed(
  view: RelationSnapshot,
  relations: Relations,
  shardMap: ShardMap,
  seen: Set<string>,
): boolean {
  return view.reads.some((name) => {
    const relation = relations.get(name);
    if (relation === undefined || seen.has(name)) return false;
    seen.add(name);
    if (shardingOf(relation, relations, shardMap).kind === 'distributed') return true;
    return relation.kind === 'view' && readsDistributed(relation, relations, shardMap, seen);
  });
}

/** One name for all tables that are parts of each other, or of the same; by `schema.name`. */
function familiesOf(relations: readonly RelationSnapshot[]): ReadonlyMap<string, string> {
  const families = new Map<string, string>();
  const familyOf = (name: string): string => {
    const next = families.get(name) ?? name;
    return next === name ? name : familyOf(next);
  };
  for (const relation of relations) {
    for (const parent of relation.parents) {
      const family = familyOf(parent);
      families.set(familyOf(fullName(relation)), family);
      families.set(family, family);
    }
  }
  return new Map([...families.keys()].map((name) => [name, familyOf(name)]));
}
