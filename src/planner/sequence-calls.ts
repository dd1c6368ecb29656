/** Of which sequences a write takes values where its rows are stored. */
export type SequenceAdvance = {
  /** As nextval() has them in its quotes, with schemas; the last one is the last that is taken. */
  readonly sequences: readonly string[];
  /** Of the key, if every row leaves it to that: the values are taken on the home shard. */
  readonly keySequence: string | null;
  /** Triggers may take more. */
  readonly hasTriggers: boolean;
};

/** A call of currval() or lastval(): what the session has taken last stands for it. */
export type RecalledCall = {
  /** UTF-16 offsets in the statement. */
  readonly start: number;
  readonly end: number;
  /** Between the parentheses; of lastval() nothing but blanks. */
  readonly argument: string;
  readonly name: 'currval' | 'lastval';
  /** It names a column of the answer, which ends at this offset; null: it does not. */
  readonly columnEnd: number | null;
};
