import type { ShardId } from '../../sharding/shard-id.ts';
import type { ShardMap } from '../../sharding/shard-map.ts';
import { shardingOf } from '../catalogue/catalogue-schema.ts';
import type { RelationSnapshot } from '../catalogue/catalogue-snapshot.ts';
import { ownersOf } from '../catalogue/schema-mistakes.ts';
import { fullName } from '../catalogue/shard-catalogue.ts';
import type { SchemaObject } from './schema-objects.ts';

/** Something that is not on all shards as it should be. */
export type Drift = {
  /** As `SchemaObject` has them. */
  readonly kind: string;
  readonly name: string;
  /** Where it is not as on the others. */
  readonly shards: readonly ShardId[];
  readonly difference: string;
  readonly remedy: string;
};

/** One line for a person. */
export function driftText({ kind, name, shards, difference, remedy }: Drift): string {
  return `${kind} ${name} on ${shards.join(', ')}: ${difference}; ${remedy}`;
}

/**
 * Compares the shards with each other, the home shard being right where it has a thing. `relations`
 * are those of the map and of the home shard, `objects` what each shard of the map has, without what
 * belongs to the home shard alone.
 */
export function findDrift(
  shardMap: ShardMap,
  relations: readonly RelationSnapshot[],
  objects: ReadonlyMap<ShardId, readonly SchemaObject[]>,
): readonly Drift[] {
  const places = new Places(shardMap, relations);
  return [...byName(shardMap, objects).values()].flatMap((found) => driftOf(found, places));
}

type Found = ReadonlyMap<ShardId, SchemaObject>;

/** By kind and name, the home shard's first. */
function byName(
  { home, shards }: ShardMap,
  objects: ReadonlyMap<ShardId, readonly SchemaObject[]>,
): ReadonlyMap<string, Found> {
  const all = new Map<string, Map<ShardId, SchemaObject>>();
  for (const shard of [home, ...shards.filter((other) => other !== home)]) {
    for (const object of objects.get(shard) ?? []) {
      const id = `${object.kind} ${object.name}`;
      const found = all.get(id) ?? new Map<ShardId, SchemaObject>();
      all.set(id, found.set(shard, object));
    }
  }
  return all;
}

function driftOf(found: Found, places: Places): readonly Drift[] {
  const [first] = found;
  if (first === undefined) return [];
  const [modelShard, model] = first;
  const { kind, name, relation } = model;
  const isPart = relation !== null && relation !== name;
  if (relation !== null && !places.isKnown(relation)) {
    // What belongs to a relation that is told of need not be told of.
    if (isPart) return [];
    const difference = 'is not on the home shard, and in no shard map: nobody is sent there';
    const remedy = 'drop it there, or list it in the shard map';
    return [{ kind, name, shards: [...found.keys()], difference, remedy }];
  }
  return [
    ...missing(found, { modelShard, model, isPart }, places),
    ...different(found, { modelShard, model }),
  ];
}

function missing(
  found: Found,
  about: {
    readonly modelShard: ShardId;
    readonly model: SchemaObject;
    readonly isPart: boolean;
  },
  places: Places,
): readonly Drift[] {
  const { modelShard, model, isPart } = about;
  const { kind, name, relation } = model;
  const shards = places
    .of(relation)
    .filter((shard) => !found.has(shard))
    .filter((shard) => !isPart || relation === null || !places.lacks(relation, shard));
  if (shards.length === 0) return [];
  const difference = `does not exist, on ${modelShard} it does`;
  const remedy = `create it on ${shards.join(', ')}, or drop it elsewhere`;
  return [{ kind, name, shards, difference, remedy }];
}

/** Those with the same definition together. */
function different(
  found: Found,
  { modelShard, model }: { readonly modelShard: ShardId; readonly model: SchemaObject },
): readonly Drift[] {
  const groups = new Map<string, ShardId[]>();
  for (const [shard, { definition }] of found) {
    if (definition === model.definition) continue;
    groups.set(definition, [...(groups.get(definition) ?? []), shard]);
  }
  return [...groups].map(([definition, shards]) => {
    const [mine, theirs] = excerpts(definition, model.definition);
    return {
      kind: model.kind,
      name: model.name,
      shards,
      difference: `is "${mine}", on ${modelShard} it is "${theirs}"`,
      remedy: `make it on ${shards.join(', ')} as on ${modelShard}, or the other way round`,
    };
  });
}

/** Characters of a definition that are shown. */
const excerptMax = 100;
/** Of these, what stands before the first difference. */
const leadMax = 20;

/** What two texts have where they begin to differ, in one line. */
function excerpts(...texts: readonly [string, string]): readonly [string, string] {
  const [one, other] = texts;
  let same = 0;
  while (same < one.length && one[same] === other[same]) same += 1;
  const isShort = texts.every((text) => text.length <= excerptMax);
  const start = isShort ? 0 : Math.max(0, same - leadMax);
  const excerpt = (text: string) => {
    const cut = text.slice(start, start + excerptMax);
    const whole = `${start > 0 ? '...' : ''}${cut}${start + excerptMax < text.length ? '...' : ''}`;
    return whole.replace(/\s+/g, ' ');
  };
  return [excerpt(one), excerpt(other)];
}

/** Which shards should have what. */
class Places {
  readonly #shardMap: ShardMap;
  readonly #relations: ReadonlyMap<string, RelationSnapshot>;

  constructor(shardMap: ShardMap, relations: readonly RelationSnapshot[]) {
    this.#shardMap = shardMap;
    this.#relations = new Map(relations.map((relation) => [fullName(relation), relation]));
  }

  isKnown(relation: string): boolean {
    return this.#relations.has(relation);
  }

  lacks(relation: string, shard: ShardId): boolean {
    return this.#relations.get(relation)?.lacking.includes(shard) === true;
  }

  /** What belongs to no relation is everywhere; what reads or serves tables is where they are. */
  of(relation: string | null, seen: ReadonlySet<string> = new Set()): readonly ShardId[] {
    const known = relation === null ? undefined : this.#relations.get(relation);
    const { shards } = this.#shardMap;
    if (relation === null || known === undefined || seen.has(relation)) return shards;
    const sharding = shardingOf(known, this.#relations, this.#shardMap);
    if (sharding.kind !== 'local') return ownersOf(sharding, this.#shardMap);
    const needed = known.ownedBy === null ? known.reads : [known.ownedBy];
    const places = needed.map((name) => this.of(name, new Set([...seen, relation])));
    return shards.filter((shard) => places.every((place) => place.includes(shard)));
  }
}
