import type { NodeId } from '../../config/config.ts';
import type { CollationKind, ColumnSchema, RelationKind } from '../../planner/schema.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { FunctionSnapshot } from './read-functions.ts';
import type { TypeDifferences } from './server-types.ts';

/** A relation as its server describes it; which shard owns it is not the server's business. */
export type RelationSnapshot = {
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  readonly columns: readonly ColumnSchema[];
  readonly uniqueKeys: readonly (readonly string[])[];
  /** Names of all its indexes, which are in its schema. */
  readonly indexes: readonly string[];
  /** `schema.name` of the table whose column a sequence belongs to; null: none, or no sequence. */
  readonly ownedBy: string | null;
  /** Shards that do not have it, of those that should; see `residenceOf`. */
  readonly lacking: readonly ShardId[];
  /** pg_class.reltuples, in a snapshot of all shards summed up and rounded; null: never analysed. */
  readonly estimatedRows: number | null;
  /** The query of a view, all names in it with their schemas; null for everything else. */
  readonly definition: string | null;
  /** Of users, or of foreign keys that refer to it. */
  readonly hasRowTriggers: boolean;
  /** Of users, for rows or statements. */
  readonly hasUserTriggers: boolean;
  /** Columns of foreign keys to other tables. */
  readonly referringColumns: readonly string[];
  /** `schema.name` of what it is a partition of or inherits from, directly. */
  readonly parents: readonly string[];
  /** `schema.name` of what a view or materialized view reads, directly. */
  readonly reads: readonly string[];
  /** `schema.name` of the tables whose columns use a sequence, parents included; else empty. */
  readonly usedBy: readonly string[];
};

/** As the planner's Leftovers, for the way to the workers. */
export type LeftoverNames = {
  readonly names: readonly string[];
  readonly settings: readonly string[];
};

/** The catalogue read from the servers: plain JSON, it travels to the workers. */
export type CatalogueSnapshot = {
  /** Grows with each reading. */
  readonly version: number;
  /** Of the database's default collation. */
  readonly defaultCollation: CollationKind;
  readonly relations: readonly RelationSnapshot[];
  /** Of users and extensions. */
  readonly functions: readonly FunctionSnapshot[];
  readonly leftovers: LeftoverNames;
  /** What does not fit the shard map on the home shard; see `placementMistakes`. */
  readonly misplaced: readonly string[];
  /** Dedicated servers that answer as the home shard's would; the others run nothing. */
  readonly combineNodes: readonly NodeId[];
  /** Of the shards, and of dedicated servers, that do not give types the home shard's OIDs. */
  readonly types: readonly TypeDifferences[];
};
