/**
 * A literal that the lexer cut out. `start` and `end` delimit the token in the text, quotes and
 * prefix (E, U&, B, X, N, $tag$) included. A sign is an operator and stays in the fingerprint.
 * Integers are told apart by size (`int4`, `int8`) because PostgreSQL types them so; larger ones
 * and those with point or exponent are `numeric`.
 */
export type Literal = {
  readonly kind: 'string' | 'bit-string' | 'int4' | 'int8' | 'numeric';
  readonly start: number;
  readonly end: number;
};

/**
 * One statement of a query string. Two statements with equal `fingerprint` have the same plan: it is
 * the text without comments and needless white space, literals replaced by a mark of their kind
 * (except those that shape a plan, which stay and get no slot).
 */
export type LexedStatement = {
  /** UTF-16 offsets into the query string; the semicolon is not included. */
  readonly start: number;
  readonly end: number;
  readonly fingerprint: string;
  readonly literals: readonly Literal[];
  /** Highest n of the `$n` in it. */
  readonly parameterCount: number;
};
