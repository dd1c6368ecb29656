import type { CollationKind } from '../../planner/schema.ts';

export type CollationFacts = {
  /** pg_collation.collprovider or pg_database.datlocprovider: b, c, i, d. */
  readonly provider: string;
  readonly deterministic: boolean;
  /** The libc locale's name; null for the other providers. */
  readonly collate: string | null;
};

/** How values under a collation are ordered; `databaseDefault` answers for provider `d`. */
export function collationKind(
  facts: CollationFacts,
  databaseDefault: CollationKind,
): CollationKind {
  if (facts.provider === 'd') return databaseDefault;
  if (!facts.deterministic) return 'nondeterministic';
  // All builtin locales compare by code point, which in UTF-8 is the order of bytes.
  if (facts.provider === 'b') return 'c';
  // The operating system's own C.UTF-8 is left to the operating system.
  const isC = facts.provider === 'c' && /^(C|POSIX)$/.test(facts.collate ?? '');
  return isC ? 'c' : 'linguistic';
}
