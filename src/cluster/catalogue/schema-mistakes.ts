import { isCombineId } from '../../config/combine-id.ts';
import type { ColumnSchema } from '../../planner/schema.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ShardMap, TableSharding } from '../../sharding/shard-map.ts';
import type { RelationSnapshot } from './catalogue-snapshot.ts';
import { functionMistakes } from './function-mistakes.ts';
import { placementMistakes } from './placement-mistakes.ts';
import { comparedSettings, preparedMax, type ShardCatalogue } from './shard-catalogue.ts';

/** Where the servers do not fit the shard map, or each other. */
export type SchemaMistake = {
  /** `error`: answers could be wrong or keys could not be found; do not serve. */
  readonly severity: 'error' | 'warning';
  readonly shard: ShardId;
  /** `schema.name`; null: about the server as a whole. */
  readonly table: string | null;
  readonly message: string;
  readonly remedy: string;
};

/** One line for a person. */
export function mistakeText({ shard, table, message, remedy }: SchemaMistake): string {
  const server = isCombineId(shard) ? `server ${shard}` : `shard ${shard}`;
  const about = table === null ? server : `${server}, table ${table}`;
  return `${about}: ${message}; ${remedy}`;
}

/** All of them, in map order. `catalogues` holds every shard of the map. */
export function findSchemaMistakes(
  shardMap: ShardMap,
  catalogues: ReadonlyMap<ShardId, ShardCatalogue>,
): SchemaMistake[] {
  return [
    ...settingMistakes(shardMap, catalogues),
    ...[...shardMap.tables].flatMap(([table, sharding]) =>
      tableMistakes(table, sharding, shardMap, catalogues),
    ),
    ...functionMistakes(shardMap, catalogues).map(
      (mistake) => ({ ...mistake, severity: 'warning', table: null }) as const,
    ),
    ...[...catalogues].flatMap(([shard, catalogue]) =>
      placementMistakes(shardMap, catalogue)
        .filter(({ table }) => isPlaced(table, shard, shardMap))
        .map((mistake) => ({ ...mistake, shard })),
    ),
  ];
}

const requiredSettings: ReadonlyMap<string, string> = new Map([
  ['server_encoding', 'UTF8'],
  ['integer_datetimes', 'on'],
  ['standard_conforming_strings', 'on'],
]);

function settingMistakes(
  shardMap: ShardMap,
  catalogues: ReadonlyMap<ShardId, ShardCatalogue>,
): SchemaMistake[] {
  const mistakes: SchemaMistake[] = [];
  const home = catalogues.get(shardMap.home);
  for (const catalogue of catalogues.values()) {
    const about = { shard: catalogue.shard, table: null };
    for (const name of comparedSettings) {
      const value = catalogue.settings.get(name);
      const required = requiredSettings.get(name);
      const model = home?.settings.get(name);
      if (required !== undefined && value !== required) {
        mistakes.push({
          ...about,
          severity: 'error',
          message: `${name} is ${value ?? 'not known'}, pgweave needs ${required}`,
          remedy: `set ${name} to ${required} (the encoding: when the database is created)`,
        });
      } else if (value !== model) {
        mistakes.push({
          ...about,
          severity: 'warning',
          message: `${name} is ${value ?? 'not set'}, on the home shard it is ${model ?? 'not set'}`,
          remedy: 'give all shards the same value: answers depend on it',
        });
      }
    }
    if (catalogues.size > 1 && catalogue.settings.get(preparedMax) === '0') {
      mistakes.push({
        ...about,
        severity: 'warning',
        message: `${preparedMax} is 0: transactions that write here and on another shard cannot be committed`,
        remedy: `set ${preparedMax} to 100 or more, first on its standbys, and restart the servers`,
      });
    }
    if (home !== undefined && catalogue.defaultCollation !== home.defaultCollation) {
      mistakes.push({
        ...about,
        severity: 'error',
        message: 'the default collation of its database sorts differently from the home shard',
        remedy: 'create the database with the same locale on all shards',
      });
    }
  }
  return mistakes;
}

/** What is not listed counts where it is used: on the home shard. */
function isPlaced(table: string, shard: ShardId, shardMap: ShardMap): boolean {
  const sharding = shardMap.tables.get(table);
  return sharding === undefined
    ? shard === shardMap.home
    : ownersOf(sharding, shardMap).includes(shard);
}

function tableMistakes(
  table: string,
  sharding: TableSharding,
  shardMap: ShardMap,
  catalogues: ReadonlyMap<ShardId, ShardCatalogue>,
): SchemaMistake[] {
  const owners = ownersOf(sharding, shardMap);
  const present = owners.flatMap((shard) => {
    const relation = catalogues.get(shard)?.relations.get(table);
    return relation === undefined ? [] : [{ shard, relation }];
  });
  const [model] = present;
  const mistakes: SchemaMistake[] = owners
    .filter((shard) => !present.some((one) => one.shard === shard))
    .map((shard) => ({
      severity: 'warning',
      shard,
      table,
      message: `${table} does not exist`,
      remedy: 'create it, or take it out of the list of tables',
    }));
  for (const { shard, relation } of present) {
    if (model !== undefined && shard !== model.shard) {
      mistakes.push(...differences(shard, table, relation, model));
    }
  }
  return mistakes;
}

/** The shards that must have the table. */
export function ownersOf(sharding: TableSharding, shardMap: ShardMap): readonly ShardId[] {
  switch (sharding.kind) {
    case 'distributed':
      return sharding.distribution.shards;
    case 'reference':
      return shardMap.shards;
    default:
      return [shardMap.home];
  }
}

function differences(
  shard: ShardId,
  table: string,
  relation: RelationSnapshot,
  model: { readonly shard: ShardId; readonly relation: RelationSnapshot },
): SchemaMistake[] {
  const about = { severity: 'warning', shard, table } as const;
  const remedy = `make it as on shard ${model.shard}`;
  const names = (columns: readonly ColumnSchema[]) => columns.map(({ name }) => name).join(', ');
  if (names(relation.columns) !== names(model.relation.columns)) {
    const message = `its columns are (${names(relation.columns)}), on shard ${model.shard} they are (${names(model.relation.columns)})`;
    return [{ ...about, message, remedy }];
  }
  return relation.columns.flatMap((column, index) => {
    const other = model.relation.columns[index];
    if (other === undefined) return [];
    const facts = [
      ['type', column.typeName, other.typeName],
      ['collation', column.collation, other.collation],
      ['not null', String(column.notNull), String(other.notNull)],
    ] as const;
    return facts
      .filter(([, mine, theirs]) => mine !== theirs)
      .map(([what, mine, theirs]) => ({
        ...about,
        message: `${what} of column ${column.name} is ${mine}, on shard ${model.shard} it is ${theirs}`,
        remedy,
      }));
  });
}
