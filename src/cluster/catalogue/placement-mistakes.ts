import type { Distribution } from '../../sharding/distribution.ts';
import type { ShardMap, TableSharding } from '../../sharding/shard-map.ts';
import { shardingOf } from './catalogue-schema.ts';
import type { RelationSnapshot } from './catalogue-snapshot.ts';
import { type ForeignKey, fullName, type RelationCatalogue } from './shard-catalogue.ts';

/** What a relation must not be, or have, because of where its rows lie. */
export type PlacementMistake = {
  readonly severity: 'error' | 'warning';
  /** `schema.name`. */
  readonly table: string;
  readonly message: string;
  readonly remedy: string;
};

/**
 * What one server has that cannot hold over shards: keys that are not there or of another type,
 * unique and exclusion constraints without the key, references to rows that lie elsewhere. DDL that
 * brings a new one is refused; those that are there already are found at the start. In map order.
 */
export function placementMistakes(
  shardMap: ShardMap,
  catalogue: RelationCatalogue,
): readonly PlacementMistake[] {
  const names = new Set([...shardMap.tables.keys(), ...catalogue.relations.keys()]);
  return [...names].flatMap((name) => {
    const relation = catalogue.relations.get(name);
    if (relation === undefined) return [];
    const sharding = shardingOf(relation, catalogue.relations, shardMap);
    const isListed = shardMap.tables.has(fullName(relation));
    return [
      // What is a part of a listed table has its columns.
      ...(isListed ? kindMistakes(relation) : []),
      ...(isListed && sharding.kind === 'distributed' ? keyMistakes(relation, sharding) : []),
      ...(sharding.kind === 'distributed' ? uniqueMistakes(relation, sharding, catalogue) : []),
      ...referenceMistakes(relation, sharding, catalogue, shardMap),
    ];
  });
}

/** One line, the same on every shard. */
export function placementText({ table, message }: PlacementMistake): string {
  return `${table}: ${message}`;
}

function kindMistakes(relation: RelationSnapshot): readonly PlacementMistake[] {
  if (relation.kind === 'table') return [];
  return [
    {
      severity: 'warning',
      table: fullName(relation),
      message: `${relation.name} is a ${relation.kind.replace('-', ' ')}, the shard map means a table`,
      remedy: 'give it another name, or take the table out of the shard map',
    },
  ];
}

function keyMistakes(
  relation: RelationSnapshot,
  { key, distribution }: { readonly key: string; readonly distribution: Distribution },
): readonly PlacementMistake[] {
  const about = { severity: 'error', table: fullName(relation) } as const;
  const column = relation.columns.find(({ name }) => name === key);
  if (column === undefined) {
    const names = relation.columns.map(({ name }) => name).join(', ');
    const message = `the key column ${key} does not exist`;
    return [{ ...about, message, remedy: `name one of its columns: ${names}` }];
  }
  const mistakes: PlacementMistake[] = [];
  if (column.typeName !== distribution.keyType) {
    mistakes.push({
      ...about,
      message: `the key column ${key} is of type ${column.typeName}, the distribution ${distribution.name} is of type ${distribution.keyType}`,
      remedy: 'change the type of the column or of the distribution',
    });
  }
  if (column.collation === 'nondeterministic') {
    mistakes.push({
      ...about,
      message: `the key column ${key} has a nondeterministic collation: equal keys could lie on different shards`,
      remedy: 'give it a deterministic collation (use fold for upper and lower case)',
    });
  }
  return mistakes;
}

function uniqueMistakes(
  relation: RelationSnapshot,
  { key }: { readonly key: string },
  { uniqueIndexes }: RelationCatalogue,
): readonly PlacementMistake[] {
  const table = fullName(relation);
  return (uniqueIndexes.get(table) ?? [])
    .filter(({ columns }) => !columns.includes(key))
    .map(({ name }) => ({
      severity: 'warning',
      table,
      message: `unique index ${name} does not contain the key column ${key}`,
      remedy: 'it is unique within a shard only: add the key to it, or drop it',
    }));
}

function referenceMistakes(
  relation: RelationSnapshot,
  sharding: TableSharding,
  { relations, foreignKeys }: RelationCatalogue,
  shardMap: ShardMap,
): readonly PlacementMistake[] {
  const table = fullName(relation);
  return (foreignKeys.get(table) ?? []).flatMap((foreignKey) => {
    const referred = relations.get(foreignKey.referred);
    if (referred === undefined) return [];
    const other = shardingOf(referred, relations, shardMap);
    const reason = whyApart(sharding, other, foreignKey);
    if (reason === null) return [];
    return [
      {
        severity: 'warning',
        table,
        message: `foreign key ${foreignKey.name} refers to ${foreignKey.referred}, ${reason}`,
        remedy:
          'refer to a reference table, or to one of the same distribution by the keys of both, or drop it',
      },
    ];
  });
}

/** null: every row lies on a shard that has the row it refers to. */
function whyApart(
  sharding: TableSharding,
  other: TableSharding,
  { columns, referredColumns }: ForeignKey,
): string | null {
  if (other.kind === 'reference') return null;
  if (other.kind === 'local') {
    return sharding.kind === 'local' ? null : 'which is on the home shard only';
  }
  if (sharding.kind !== 'distributed') return 'whose rows are distributed over shards';
  if (sharding.distribution.name !== other.distribution.name) {
    return 'whose rows are distributed in another way';
  }
  const place = columns.indexOf(sharding.key);
  return place >= 0 && referredColumns[place] === other.key
    ? null
    : `but not the key ${sharding.key} to the key ${other.key}`;
}
