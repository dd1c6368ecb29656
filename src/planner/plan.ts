import type { ShardId } from '../sharding/shard-id.ts';
import type { ValueRef } from '../sql/statement.ts';
import type { CursorCommand } from './commands/cursor-command.ts';
import type { PreparedCommand } from './commands/prepared-command.ts';
import type { SettingCommand } from './commands/setting-command.ts';
import type { TransactionCommand } from './commands/transaction-command.ts';
import type { CopyPlan } from './copy/copy-plan.ts';
import type { RecalledCall, SequenceAdvance } from './sequence-calls.ts';
import type { SessionEffect } from './session-effect.ts';

/**
 * A condition on the key of one distribution, as a tree over values that are known only when the
 * statement runs. `all` says nothing about the key.
 */
export type KeyCondition =
  | { readonly kind: 'all' }
  | { readonly kind: 'none' }
  | { readonly kind: 'equal'; readonly value: KeyValue }
  | { readonly kind: 'in'; readonly values: readonly KeyValue[] }
  /** `= ANY($1)` or `= ANY('{a,b}')`. */
  | { readonly kind: 'equal-any'; readonly array: KeyValue }
  | { readonly kind: 'range'; readonly low: KeyLimit | null; readonly high: KeyLimit | null }
  /** `LIKE 'ab%'` (the pattern is the value; wildcards are found at run time) or `^@`. */
  | { readonly kind: 'like'; readonly pattern: KeyValue }
  | { readonly kind: 'starts-with'; readonly prefix: KeyValue }
  | { readonly kind: 'and'; readonly conditions: readonly KeyCondition[] }
  | { readonly kind: 'or'; readonly conditions: readonly KeyCondition[] }
  /** Keys that the statement stores: each must be there, not NULL and owned by a shard. */
  | { readonly kind: 'assign'; readonly values: readonly KeyValue[] };

/**
 * A value with the type the statement gives it: `castType` is pg_type.typname of an explicit cast
 * (`$1::int8`; of an array `_int8`), null where PostgreSQL would infer the key column's own type.
 */
export type KeyValue = {
  readonly ref: ValueRef;
  readonly castType: string | null;
  /** A minus sign stands before the literal. */
  readonly negated: boolean;
  /**
   * False: the parameter also stands elsewhere, so that PostgreSQL may infer another type for it;
   * it can be read only when its type is declared.
   */
  readonly soleUse: boolean;
};
export type KeyLimit = { readonly value: KeyValue; readonly inclusive: boolean };

/** All tables of the group are tied by equality of their keys, so they lie on the same shard. */
export type KeyGroup = { readonly distribution: string; readonly condition: KeyCondition };

export type Routing =
  /**
   * No distributed and no reference table: the home shard. `anywhere`: no table at all and nothing
   * that depends on the server, so that any shard would give the same answer.
   */
  | { readonly kind: 'home'; readonly anywhere: boolean }
  /** Reference tables only: any shard. */
  | { readonly kind: 'any' }
  /**
   * One group or more; single-shard when every group resolves to the same one shard, and, with
   * `withHome` (a home table is in it too), when that shard is the home shard.
   */
  | { readonly kind: 'by-key'; readonly groups: readonly KeyGroup[]; readonly withHome: boolean };

/**
 * Text for the shards: the client's own bytes, or pieces joined with the client's literals. Pieces
 * keep the client's `$n` as text, though perhaps not all of them: Parse must declare the types of
 * all parameters, as describing the client's statement gives them.
 */
export type ShardQuery =
  | { readonly kind: 'as-received' }
  | { readonly kind: 'rewritten'; readonly pieces: readonly QueryPiece[] };

export type QueryPiece = string | ValueRef | IntermediateRef;

/** What is known only when an intermediate result has come in; `result` counts from 0. */
export type IntermediateRef =
  /**
   * Everything after the SELECT of the CTE that stands for it: its columns, cast from text to
   * their types, and the arrays that hold them.
   */
  | { readonly kind: 'intermediate-rows'; readonly result: number }
  /** The name of the type of one of its columns. */
  | { readonly kind: 'intermediate-type'; readonly result: number; readonly column: number }
  /** One of its values, as a literal of its type. */
  | ({ readonly kind: 'intermediate-value' } & ResultValue);

/**
 * Rows that are collected before the statement that needs them, and travel with its text (Citus'
 * word). `columns` are the names of the result's columns, in order, at least one.
 */
export type IntermediateResult = {
  readonly columns: readonly string[];
  /** It takes values of a sequence, which nobody may get again: that counts as a write. */
  readonly advances: boolean;
  readonly routing: Routing;
  /** For when one shard has all the rows that it reads. */
  readonly whole: ShardQuery;
  /** For when they are on several. */
  readonly multi: RoutedNode | Reject;
};

/**
 * `routing` says where the shards' queries of `root` run: on one server only if all rows of others
 * come in as intermediate results (the combine query).
 */
export type RoutedNode = {
  readonly kind: 'routed';
  readonly routing: Routing;
  readonly root: PlanNode;
};

/**
 * One way to the answer of several shards. Intermediate results are in the order in which they must
 * be collected: each may refer to those before it.
 */
export type MultiShardPath = {
  readonly intermediate: readonly IntermediateResult[];
  readonly last: RoutedNode;
};

/**
 * An answer made from several shards. `otherPaths` collect the rows of other tables than the plan's
 * own path does; which of all is the cheapest is for the servers' estimates to say.
 */
export type MultiShardPlan = MultiShardPath & {
  readonly kind: 'multi-shard';
  readonly otherPaths: readonly MultiShardPath[];
};

/**
 * Sort order over one column of the input. `collation` is `c` when the planner has proved byte
 * order; `unknown` means that the executor must refuse (0A000) if the column turns out to be text.
 */
export type SortKey = {
  readonly column: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
  readonly collation: 'c' | 'unknown';
  /** How a DBA would write it, for EXPLAIN. */
  readonly label: string;
};

/**
 * How one column of an aggregated row is made from the shards' partial columns; all numbers index
 * the columns of the route, visible and hidden ones counted through. `hidden` columns
 * are always received in binary format; a `visible` one has the format that the client asked for.
 */
export type AggregateOutput =
  /** A grouping column: the value of the first row of the group. */
  | { readonly kind: 'group'; readonly visible: number }
  | { readonly kind: 'count'; readonly hidden: number }
  | { readonly kind: 'sum'; readonly hidden: number }
  | { readonly kind: 'avg'; readonly hiddenSum: number; readonly hiddenCount: number }
  /** The row whose hidden copy comes first in `order` (max: descending); NULLs do not count. */
  | { readonly kind: 'min' | 'max'; readonly visible: number; readonly order: SortKey }
  | { readonly kind: 'bool_and' | 'bool_or'; readonly hidden: number };

/**
 * Steps above the shards, innermost first in execution, plain data. Columns of a `route` are the
 * visible ones, one for each column of the client's and in its format (below an `aggregate` NULL
 * where only hidden ones are needed), then the hidden ones. `visibleCount` may be 0 for unknown
 * when nothing is hidden.
 */
export type PlanNode =
  | {
      readonly kind: 'route';
      readonly query: ShardQuery;
      readonly visibleCount: number;
      readonly hiddenCount: number;
    }
  | { readonly kind: 'append'; readonly input: PlanNode }
  | { readonly kind: 'merge-append'; readonly input: PlanNode; readonly keys: readonly SortKey[] }
  /**
   * Folds neighbouring rows equal in `groupBy` (the input is merged on them); an empty `groupBy`
   * folds everything into exactly one row, also of no input (then count is 0, the others NULL).
   * Output: the client's columns, then for each of `carry` that input column unchanged (hidden
   * sort keys for a sort above).
   */
  | {
      readonly kind: 'aggregate';
      readonly input: PlanNode;
      readonly groupBy: readonly SortKey[];
      readonly outputs: readonly AggregateOutput[];
      readonly carry: readonly number[];
    }
  /**
   * Sorts all rows in memory, under a limit of bytes. A key below `outputs.length` of the aggregate
   * names one of the client's columns of any kind but `group` and is compared by value, whatever
   * format the client asked for; from there on keys name the carried columns (so a grouping column
   * is sorted by its carried hidden copy).
   */
  | { readonly kind: 'sort'; readonly input: PlanNode; readonly keys: readonly SortKey[] }
  /**
   * Rows after `offset`, at most `count`; NULL means all rows, 0. The executor refuses negative ones
   * (2201W, 2201X). Both are integer literals or parameters.
   */
  | {
      readonly kind: 'limit';
      readonly input: PlanNode;
      readonly count: ValueRef | null;
      readonly offset: ValueRef | null;
    };

export type RouteNode = Extract<PlanNode, { readonly kind: 'route' }>;

/** A write that concerns several shards, in one transaction over all of them. */
export type MultiShardWrite = {
  readonly kind: 'write';
  /** Of its WITH, in this order. */
  readonly before: readonly WritePart[];
  /** What it reads, in the order in which it must be collected. */
  readonly intermediate: readonly IntermediateResult[];
  readonly step: WriteStep;
  /** UPDATE or DELETE of a distributed table without any condition. */
  readonly isUnconditional: boolean;
  /** It has RETURNING. */
  readonly returnsRows: boolean;
  /** It may change rows that are there already, and has to wait for others who do. */
  readonly changesRows: boolean;
};

/** What is done before the rest of a statement. A `reader` reads all of an intermediate result. */
export type WritePart =
  /** A query of WITH, whose rows must be those of before the writes. */
  | { readonly kind: 'query'; readonly reader: RouteNode }
  /** A write of WITH; `result`: what it returns, null: nothing. */
  | {
      readonly kind: 'write';
      readonly step: WriteStep;
      readonly result: { readonly number: number; readonly reader: RouteNode } | null;
    };

export type WriteStep =
  /** Each shard writes its own rows; their answers are put together. */
  | { readonly kind: 'own-rows'; readonly routing: Routing; readonly route: RouteNode }
  /** Every shard does the same with its copies of the tables; the answer is that of one. */
  | { readonly kind: 'copies'; readonly tables: readonly string[]; readonly route: RouteNode }
  /**
   * Rows that one shard makes, with all their values, and the others are given: `image` adds them
   * there and returns what is stored, which is the last intermediate result; `route` reads it.
   */
  | {
      readonly kind: 'new-copies';
      readonly tables: readonly string[];
      readonly image: RouteNode;
      readonly route: RouteNode;
    }
  /**
   * Rows of VALUES, each to the shard that owns its key. `route` is all of it; a shard's text is
   * `head`, its rows with commas between them, `tail`. `hasEveryRow`: RETURNING gives exactly one
   * row for each of them.
   */
  | {
      readonly kind: 'listed-rows';
      readonly distribution: string;
      readonly head: readonly QueryPiece[];
      readonly rows: readonly ListedRow[];
      readonly tail: readonly QueryPiece[];
      readonly hasEveryRow: boolean;
      /** A parameter stands in several places, so that its type may depend on a row elsewhere. */
      readonly sharesParameters: boolean;
      readonly route: RouteNode;
    }
  /** The rows of an intermediate result, each to the shard that owns the key in that column. */
  | {
      readonly kind: 'collected-rows';
      readonly distribution: string;
      readonly key: ResultField;
      readonly route: RouteNode;
    }
  | KeyChange;

/**
 * UPDATE of the key: each shard changes its rows in place and returns them as `image`; then those
 * whose key belongs elsewhere go there. The queries read an image as the last intermediate result.
 */
export type KeyChange = {
  readonly kind: 'key-change';
  readonly routing: Routing;
  readonly distribution: string;
  readonly image: RouteNode;
  /** The place of the key in the image. */
  readonly keyColumn: number;
  /** Takes rows away from their shard, which each of them says. */
  readonly removal: RouteNode;
  readonly addition: RouteNode;
  /** Of all rows of the image. */
  readonly returning: RouteNode | null;
};

export type ListedRow = {
  readonly key:
    | { readonly kind: 'value'; readonly value: KeyValue }
    | ({ readonly kind: 'result' } & ResultValue);
  readonly pieces: readonly QueryPiece[];
};

/** A row of a column of an intermediate result; all count from 0. */
export type ResultValue = {
  readonly result: number;
  readonly column: number;
  readonly row: number;
};

/** A column of an intermediate result. */
export type ResultField = {
  readonly kind: 'result';
  readonly result: number;
  readonly column: number;
};

export type Reject = {
  readonly kind: 'reject';
  readonly sqlState: string;
  readonly message: string;
  readonly hint: string | null;
};

/** How a utility statement runs on every shard: `together` in one transaction over all of them. */
export type EveryShard = {
  /** `in-block`: only in a block of the client's; `apart`: never; `either`: as the client has it. */
  readonly how: 'together' | 'in-block' | 'apart' | 'either';
  /** Shards to leave out: they do not have what it is about. */
  readonly lacking: readonly ShardId[];
  /** What all but the home shard do: without literals. */
  readonly elsewhere: ShardQuery;
};

/**
 * What to do with a statement: plain data, cached by fingerprint and schema version, so it holds no
 * literal's text. `set` and `copy` alone are never cached.
 */
export type Plan =
  /**
   * `multi` answers when the routing resolves to several shards; resolved to none, the client's own
   * text runs on any one shard, whose WHERE finds nothing. `readOnly`: no function or clause that writes or locks.
   */
  | {
      readonly kind: 'select';
      readonly routing: Routing;
      readonly multi: MultiShardPlan | Reject;
      /** It names views over distributed tables, which the home shard knows: `multi` runs in any case. */
      readonly expandsViews: boolean;
      readonly readOnly: boolean;
      readonly effect?: SessionEffect;
      /** It may leave something on its servers that nothing in it tells; see Leftovers. */
      readonly leaves?: true;
    }
  /**
   * `isWhole`: the client's own text runs on the shard that the routing resolves to, if that is one
   * or none. `multi` writes in all other cases.
   */
  | {
      readonly kind: 'modify';
      /** `select`: its WITH writes, or its rows make a table. */
      readonly command: 'insert' | 'update' | 'delete' | 'merge' | 'truncate' | 'setval' | 'select';
      readonly routing: Routing;
      readonly isWhole: boolean;
      readonly multi: MultiShardWrite | Reject;
      /** Missing: it may take values of any sequence. */
      readonly advances?: SequenceAdvance;
      /** It makes a table. */
      readonly changesSchema?: boolean;
      readonly effect?: SessionEffect;
      readonly leaves?: true;
    }
  /** Utility statements (DDL, VACUUM, COPY ...); `everyShard` null: on the home shard alone. */
  | {
      readonly kind: 'utility';
      readonly tag: string;
      readonly changesSchema: boolean;
      readonly effect?: SessionEffect;
      readonly leaves?: true;
      readonly everyShard: EveryShard | null;
    }
  | { readonly kind: 'copy'; readonly copy: CopyPlan; readonly leaves?: true }
  | { readonly kind: 'transaction'; readonly command: TransactionCommand }
  | { readonly kind: 'setting'; readonly command: SettingCommand }
  | { readonly kind: 'cursor'; readonly command: CursorCommand; readonly leaves?: true }
  | { readonly kind: 'prepared'; readonly command: PreparedCommand }
  | { readonly kind: 'recalled'; readonly calls: readonly RecalledCall[] }
  /** `statement` is what follows EXPLAIN and its options in the client's text. */
  | {
      readonly kind: 'explain';
      readonly analyze: boolean;
      readonly optionsText: string;
      readonly leaves?: true;
      readonly statementText: string;
    }
  | { readonly kind: 'empty' }
  | Reject;
