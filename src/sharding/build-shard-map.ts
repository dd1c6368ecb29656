import { assert, unreachable } from '../base/assert.ts';
import type { Distribution, KeyType } from './distribution.ts';
import { HashModulo } from './hash-modulo.ts';
import { HashRing, type RingMember } from './hash-ring.ts';
import { type KeyRange, KeyRanges } from './key-ranges.ts';
import type { ShardId } from './shard-id.ts';
import type { ShardMap, TableSharding } from './shard-map.ts';

export type DistributionDescription = {
  readonly name: string;
  readonly keyType: KeyType;
  readonly fold: boolean;
  readonly placement:
    | { readonly method: 'ranges'; readonly ranges: readonly KeyRange[] }
    | { readonly method: 'ring'; readonly members: readonly RingMember[] }
    | { readonly method: 'modulo'; readonly owners: readonly ShardId[] };
};

/** `table` is `schema.table` as the catalogue spells it. */
export type TableDescription =
  | {
      readonly kind: 'distributed';
      readonly table: string;
      readonly distribution: string;
      readonly key: string;
    }
  | { readonly kind: 'reference'; readonly table: string };

/** A shard map as plain data. Names refer to each other: the configuration has checked that. */
export type ShardMapDescription = {
  readonly version: number;
  readonly shards: readonly ShardId[];
  readonly home: ShardId;
  readonly distributions: readonly DistributionDescription[];
  readonly tables: readonly TableDescription[];
  /** `schema.function`; none if left out. */
  readonly functions?: readonly string[];
};

export function buildShardMap(description: ShardMapDescription): ShardMap {
  const { version, shards, home } = description;
  assert(shards.includes(home), 'the home shard is not in the map');
  const distributions = new Map(
    description.distributions.map((each) => [each.name, buildDistribution(each, shards)]),
  );
  const tables = new Map(
    description.tables.map((each) => [each.table, tableSharding(each, distributions)]),
  );
  const functions = new Set(description.functions);
  return { version, shards, home, distributions, tables, functions };
}

function buildDistribution(
  { name, keyType, fold, placement }: DistributionDescription,
  mapOrder: readonly ShardId[],
): Distribution {
  const inMapOrder = (members: readonly ShardId[]) =>
    mapOrder.filter((shard) => members.includes(shard));
  switch (placement.method) {
    case 'ranges': {
      const shards = inMapOrder(placement.ranges.map((range) => range.shard));
      return new KeyRanges({ name, keyType, fold, shards, ranges: placement.ranges });
    }
    case 'ring': {
      const position = (member: RingMember) => mapOrder.indexOf(member.shard);
      const members = placement.members.toSorted((a, b) => position(a) - position(b));
      return new HashRing({ name, keyType, fold, members });
    }
    case 'modulo': {
      const shards = inMapOrder(placement.owners);
      return new HashModulo({ name, keyType, fold, shards, owners: placement.owners });
    }
    default:
      return unreachable(placement);
  }
}

function tableSharding(
  table: TableDescription,
  distributions: ReadonlyMap<string, Distribution>,
): TableSharding {
  if (table.kind === 'reference') return { kind: 'reference' };
  const distribution = distributions.get(table.distribution);
  assert(distribution !== undefined, `table ${table.table} has an unknown distribution`);
  return { kind: 'distributed', distribution, key: table.key };
}
