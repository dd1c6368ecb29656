import type { ShardId } from '../sharding/shard-id.ts';
import type { TableSharding } from '../sharding/shard-map.ts';

/**
 * Order of a text value: `c` is byte order (C, POSIX, and builtin C.UTF-8 or ucs_basic collations,
 * also when such a one is the database's default), `linguistic` any other deterministic collation,
 * `nondeterministic` those under which different bytes are equal, `none` for types without one.
 */
export type CollationKind = 'c' | 'linguistic' | 'nondeterministic' | 'none';

export type ColumnSchema = {
  readonly name: string;
  readonly typeOid: number;
  /** pg_type.typname, e.g. `int4`; domains resolved to their base type. */
  readonly typeName: string;
  readonly collation: CollationKind;
  readonly notNull: boolean;
  /** GENERATED ALWAYS AS (...): computed from the others, never given. */
  readonly isGenerated?: boolean;
  /** GENERATED ... AS IDENTITY. */
  readonly isIdentity?: boolean;
  /** GENERATED ALWAYS AS IDENTITY: given in an INSERT with OVERRIDING only, never in an UPDATE. */
  readonly isIdentityAlways?: boolean;
  /**
   * The DEFAULT expression as SQL, all names in it with their schemas; of an identity column the
   * nextval() that it comes down to.
   */
  readonly default?: string;
};

export type RelationKind =
  | 'table'
  | 'view'
  | 'materialized-view'
  | 'foreign-table'
  | 'sequence'
  | 'composite';

/** The shards that have a relation, or are to have it, as far as DDL is concerned. */
export type Residence =
  | { readonly kind: 'home' }
  /** All of the map but those, which lack it although they should not. */
  | { readonly kind: 'every-shard'; readonly lacking: readonly ShardId[] };

export type RelationSchema = {
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  readonly sharding: TableSharding;
  readonly residence: Residence;
  /** In attribute order, dropped columns left out. */
  readonly columns: readonly ColumnSchema[];
  /** The query of a view, all names in it with their schemas; null for everything else. */
  readonly definition: string | null;
  /**
   * For a view: a relation it reads, directly or through other views, is distributed (so that it
   * cannot be answered by one shard). Partitions and inheritance children carry their parent's
   * `sharding` instead. False for everything else.
   */
  readonly readsDistributed: boolean;
  /** Of all shards together, as their statistics say (pg_class.reltuples); null: unknown. */
  readonly estimatedRows: number | null;
  /** Unique and primary key constraints and unique indexes, as column names. */
  readonly uniqueKeys: readonly (readonly string[])[];
  /** It has row triggers, or foreign keys refer to it: adding and removing rows does more. */
  readonly hasRowTriggers?: boolean;
  /** It has triggers of users, for rows or statements. */
  readonly hasUserTriggers?: boolean;
  /** The same for tables that are parts of each other, or of one; not given: it is by itself. */
  readonly family?: string;
  /** It is of one session, whose own catalogue has it. */
  readonly isTemporary?: boolean;
  /** Columns of foreign keys to other tables. */
  readonly referringColumns?: readonly string[];
  /** A sequence that columns of distributed tables use: each shard counts on places of its own. */
  readonly isInterleaved?: boolean;
};

/** Functions of one name in one schema, which are told apart by their arguments. */
export type FunctionSchema = {
  readonly schema: string;
  readonly name: string;
  /**
   * `extreme`: aggregates that take the first value in a sort order (CREATE AGGREGATE ... SORTOP).
   * `other`: window functions, procedures, and where not all are of one kind.
   */
  readonly kind: 'function' | 'set' | 'aggregate' | 'extreme' | 'other';
  /** Every one is IMMUTABLE (so is all that an aggregate calls), and all shards have the same. */
  readonly isImmutable: boolean;
  /** `schema.name` of the relations that arguments, results and parsed bodies name. */
  readonly tables?: readonly string[];
  /** Of procedures their definitions, CREATE OR REPLACE PROCEDURE ..., if all shards have the same. */
  readonly procedures?: readonly string[];
  /** Of functions in SQL and PL/pgSQL their definitions, CREATE OR REPLACE FUNCTION ..., on the home shard. */
  readonly bodies?: readonly string[];
  /** All shards have the same, and the shard map says that any of them may run it (ShardMap). */
  readonly isDeclared: boolean;
  /** pg_catalog has functions of that name, too. */
  readonly isBuiltinName: boolean;
  /**
   * It has each of them with the same arguments, so that these are called with their schema only,
   * unless the search path names pg_catalog after it.
   */
  readonly isHidden: boolean;
};

/**
 * What may leave something in the session of the server that it runs on: SET, a temporary table, a
 * session lock. Names only, in lower case and without schemas, because too many cost time, not truth.
 */
export type Leftovers = {
  /** Of users' functions and operators, and of relations whose triggers, defaults and so on call such. */
  readonly names: ReadonlySet<string>;
  /** Parameters with a dot in their names that such functions speak of: no server can list those. */
  readonly settings: readonly string[];
};

/**
 * The catalogue as the planner sees it: a snapshot, replaced as a whole. `version` grows with each
 * replacement and is part of the plan cache's key.
 */
export type Schema = {
  readonly version: number;
  /** Collation kind of the database's default collation. */
  readonly defaultCollation: CollationKind;
  /**
   * Resolves a name as PostgreSQL would: `schema` null searches `searchPath` (pg_catalog first
   * unless listed). null when there is no such relation in the snapshot.
   */
  relation(
    schema: string | null,
    name: string,
    searchPath: readonly string[],
  ): RelationSchema | null;
  /** Functions that users or extensions made and that the name may stand for, as `relation` finds names. */
  functions(
    schema: string | null,
    name: string,
    searchPath: readonly string[],
  ): readonly FunctionSchema[];
  readonly leftovers: Leftovers;
  /** There is one at least. */
  readonly hasFunctions: boolean;
  /** The relation that an index of that name belongs to, found likewise. */
  indexed(
    schema: string | null,
    name: string,
    searchPath: readonly string[],
  ): RelationSchema | null;
};
