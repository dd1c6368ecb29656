import type { Config, NodeAddress } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ShardMap } from '../../sharding/shard-map.ts';
import { mergeLeftovers } from '../leftovers/read-leftovers.ts';
import { shardedSequences } from '../sequences/adjust-sequences.ts';
import { sequenceMistakes } from '../sequences/sequence-mistakes.ts';
import { residenceOf, shardingOf } from './catalogue-schema.ts';
import type { CatalogueSnapshot, RelationSnapshot } from './catalogue-snapshot.ts';
import { fittingServers, readCombineServers } from './combine-catalogue.ts';
import { placementMistakes, placementText } from './placement-mistakes.ts';
import { mergeFunctions } from './read-functions.ts';
import { findSchemaMistakes, ownersOf, type SchemaMistake } from './schema-mistakes.ts';
import { type TypeDifferences, typeDifferences } from './server-types.ts';
import { fullName, type ShardCatalogue } from './shard-catalogue.ts';
import { ShardReader } from './shard-reader.ts';
import { SystemRelations } from './system-relations.ts';

export type CatalogueReading = {
  readonly snapshot: CatalogueSnapshot;
  readonly mistakes: readonly SchemaMistake[];
  /** Some sequence of distributed tables can give equal values on several shards. */
  readonly needsAdjusting: boolean;
};

/**
 * Reads the catalogue of all shards. The snapshot of an unchanged catalogue is equal to the one
 * before, version included.
 */
export class CatalogueReader {
  readonly #system = new SystemRelations();
  readonly #readers = new Map<string, ShardReader>();
  #version = 0;
  #last = '';

  /**
   * `primaryOf` names the node to ask; null: 57P03. Rejects when a shard cannot be read: a catalogue
   * with a gap would send statements to the wrong place. A dedicated server is done without.
   */
  async read(
    config: Config,
    primaryOf: (shard: ShardId) => NodeAddress | null,
  ): Promise<CatalogueReading> {
    const { shardMap } = config;
    const [read, answers] = await Promise.all([
      Promise.all(
        shardMap.shards.map((shard) =>
          this.#readerOf(shard, shard === shardMap.home).read(config, primaryOf(shard)),
        ),
      ),
      readCombineServers(config),
    ]);
    const catalogues = new Map(read.map((catalogue) => [catalogue.shard, catalogue]));
    const home = catalogues.get(shardMap.home);
    const combine = fittingServers(answers, home ?? null);
    const types = [...differences(shardMap, catalogues), ...combine.types];
    const relations = mergeRelations(shardMap, catalogues, types);
    const functions = mergeFunctions(
      shardMap.home,
      new Map(read.map((catalogue) => [catalogue.shard, catalogue.functions])),
    );
    const leftovers = mergeLeftovers(read.map((catalogue) => catalogue.leftovers));
    const defaultCollation = home?.defaultCollation ?? 'linguistic';
    const combineNodes = combine.fitting;
    const sequences = shardedSequences(
      new Map(read.map((catalogue) => [catalogue.shard, catalogue.sequences])),
      shardMap,
    );
    const misplaced =
      home === undefined ? [] : placementMistakes(shardMap, home).map(placementText);
    const text = JSON.stringify([
      defaultCollation,
      relations,
      functions,
      leftovers,
      misplaced,
      types,
      combineNodes,
    ]);
    if (text !== this.#last) {
      this.#last = text;
      this.#version += 1;
    }
    return {
      snapshot: {
        version: this.#version,
        defaultCollation,
        relations,
        functions,
        leftovers,
        misplaced,
        combineNodes,
        types,
      },
      mistakes: [
        ...findSchemaMistakes(shardMap, catalogues),
        ...sequenceMistakes(sequences),
        ...combine.mistakes,
      ],
      needsAdjusting: sequences.some(({ interleaving }) => interleaving.kind === 'adjust'),
    };
  }

  #readerOf(shard: ShardId, isHome: boolean): ShardReader {
    const key = `${isHome ? 'home' : 'other'} ${shard}`;
    const known = this.#readers.get(key);
    if (known !== undefined) return known;
    const reader = new ShardReader(shard, isHome ? this.#system : null);
    this.#readers.set(key, reader);
    return reader;
  }
}

function differences(
  { home, shards }: ShardMap,
  catalogues: ReadonlyMap<ShardId, ShardCatalogue>,
): TypeDifferences[] {
  const homeTypes = catalogues.get(home)?.types ?? [];
  return shards.flatMap((shard) => {
    const found = typeDifferences(shard, catalogues.get(shard)?.types ?? [], homeTypes);
    return found === null ? [] : [found];
  });
}

/** Unlisted relations as the home shard has them, listed ones as their first owner has them; types by their OIDs on the home shard. */
function mergeRelations(
  shardMap: ShardMap,
  catalogues: ReadonlyMap<ShardId, ShardCatalogue>,
  types: readonly TypeDifferences[],
): RelationSnapshot[] {
  const merged = new Map(catalogues.get(shardMap.home)?.relations);
  for (const shard of shardMap.shards.toReversed()) {
    const relations = catalogues.get(shard)?.relations ?? new Map<string, RelationSnapshot>();
    const homeOids = new Map(types.find((differing) => differing.shard === shard)?.oids);
    for (const relation of relations.values()) {
      const sharding = shardingOf(relation, relations, shardMap);
      if (sharding.kind === 'local') continue;
      if (!ownersOf(sharding, shardMap).includes(shard)) continue;
      const columns = relation.columns.map((column) => ({
        ...column,
        typeOid: homeOids.get(column.typeOid) ?? column.typeOid,
      }));
      merged.set(fullName(relation), { ...relation, columns });
    }
  }
  return [...merged.values()].map((relation) => ({
    ...relation,
    estimatedRows: estimatedRows(relation, catalogues),
    lacking: lackingShards(relation, merged, shardMap, catalogues),
  }));
}

function lackingShards(
  relation: RelationSnapshot,
  relations: ReadonlyMap<string, RelationSnapshot>,
  shardMap: ShardMap,
  catalogues: ReadonlyMap<ShardId, ShardCatalogue>,
): readonly ShardId[] {
  if (residenceOf(relation, relations, shardMap).kind === 'home') return [];
  const name = fullName(relation);
  return shardMap.shards.filter((shard) => catalogues.get(shard)?.relations.has(name) !== true);
}

/** Of all shards together, rounded to a power of 4: plans do not hold when it changes. */
function estimatedRows(
  { schema, name }: RelationSnapshot,
  catalogues: ReadonlyMap<ShardId, ShardCatalogue>,
): number | null {
  let sum = 0;
  for (const { relations } of catalogues.values()) {
    sum += relations.get(fullName({ schema, name }))?.estimatedRows ?? 0;
  }
  return sum === 0 ? null : 4 ** Math.round(Math.log2(sum) / 2);
}
