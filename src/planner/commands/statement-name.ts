/** Commands of two words; all others are named by their first. */
const pairs = /^(?:ALTER|CREATE|DROP|DISCARD|IMPORT|REFRESH|REINDEX|SECURITY|SET)$/;

/** They are no part of the name. */
const qualifiers = /\b(?:CREATE OR REPLACE|CREATE UNIQUE)\b/;

/** The name of a statement for messages and as a tag: `CREATE FUNCTION`, `COPY`. */
export function statementName(fingerprint: string): string {
  const text =
    fingerprint
      .toUpperCase()
      .match(/[A-Z_]+/g)
      ?.slice(0, 4)
      .join(' ') ?? '';
  const [first = '', second = '', third = ''] = text.replace(qualifiers, 'CREATE').split(' ');
  if (!pairs.test(first)) return first;
  const isLong = second === 'MATERIALIZED' || (first === 'ALTER' && second === 'DEFAULT');
  return `${first} ${second} ${isLong ? third : ''}`.trim();
}
