/** Commands of two words; all others are named by their first. */
const pairs = /^(?:ALTER|CREATE|DROP|DISCARD|IMPORT|REFRESH|REINDEX|SECURITY|SET)$/;

/** The name of a statement for messages and as a tag: `CREATE FUNCTION`, `COPY`. */
export function statementName(fingerprint: string): string {
  const words = fingerprint.toUpperCase().match(/[A-Z_]+/g) ?? [];
  const [first = '', second = ''] = words;
  return pairs.test(first) ? `${first} ${second}`.trim() : first;
}
