/** The first words of a statement in capitals, for messages: `CREATE FUNCTION`. */
export function statementName(fingerprint: string): string {
  const words = fingerprint.split(/[^A-Za-z_]+/, 2).filter((word) => word !== '');
  return words.join(' ').toUpperCase();
}
