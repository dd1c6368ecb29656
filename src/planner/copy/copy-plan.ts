import type { ForcedNulls } from '../../protocol/copy/copy-format.ts';
import type { ColumnSchema } from '../schema.ts';
import type { CopyOptions } from './copy-options.ts';

/** COPY of what does not lie on the home shard alone. Its literals are in it: it is never cached. */
export type CopyPlan =
  | CopyRowsIn
  /** The client's rows, alike into every copy of a reference table. */
  | {
      readonly kind: 'copies-in';
      /** As messages name it, and with its schema. */
      readonly table: string;
      readonly fullName: string;
      readonly options: CopyOptions;
      readonly rewrittenText: string | null;
      readonly defaults: CopyDefaults | null;
    }
  /** A distributed table, from all of its shards. */
  | { readonly kind: 'rows-out'; readonly distribution: string; readonly options: CopyOptions }
  /** A reference table, from one shard. */
  | { readonly kind: 'copy-out' }
  /** What a query returns. */
  | {
      readonly kind: 'query-out';
      /** As written, and where it begins and ends in the statement (UTF-16). */
      readonly queryText: string;
      readonly queryStart: number;
      readonly queryEnd: number;
      readonly options: CopyOptions;
    };

/** The client's rows, each to the shard that owns its key. */
export type CopyRowsIn = {
  readonly kind: 'rows-in';
  /** As messages name it: without its schema. */
  readonly table: string;
  readonly distribution: string;
  readonly key: {
    readonly name: string;
    /** Among the fields of a row, from 0. */
    readonly index: number;
    /** A server refuses NULL. */
    readonly isNotNull: boolean;
    readonly forced: ForcedNulls;
  };
  readonly options: CopyOptions;
  /** In place of the client's own text: with REJECT_LIMIT each row left out must be told. */
  readonly rewrittenText: string | null;
  /** One value for the rows of all shards; null: none are to be computed. */
  readonly defaults: CopyDefaults | null;
};

/**
 * Columns that the client leaves to their defaults, which every shard would compute for itself. One
 * server computes them, and they stand in front of what the client's rows have.
 */
export type CopyDefaults = {
  readonly columns: readonly Pick<ColumnSchema, 'name' | 'typeOid'>[];
  /** What one server is asked for, in the order of `columns`. */
  readonly selectList: string;
  /** `row`: for every row anew; `statement`: one value for all. */
  readonly per: 'statement' | 'row';
  /** The COPY that names all columns; null: it cannot be written. */
  readonly text: string | null;
};
