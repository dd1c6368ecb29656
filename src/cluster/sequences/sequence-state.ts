/** A sequence of one server; the columns of pg_sequence. */
export type SequenceState = {
  readonly type: SequenceType;
  readonly start: bigint;
  readonly increment: bigint;
  readonly min: bigint;
  readonly max: bigint;
  readonly cycles: boolean;
  /** The value given last, or set by setval(); null: none since the sequence was (re)started. */
  readonly last: bigint | null;
  /** What nextval() gives next; null: not known. */
  readonly next: bigint | null;
};

export type SequenceType = 'smallint' | 'integer' | 'bigint';

/** A sequence that columns take their defaults from, or that is owned by them. */
export type ColumnSequence = {
  readonly schema: string;
  readonly name: string;
  /** `schema.name` of the columns' tables, and of those that they are partitions or children of. */
  readonly tables: readonly string[];
  readonly state: SequenceState;
};
