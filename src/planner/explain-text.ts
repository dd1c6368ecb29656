const blanks = String.raw`(?:\s|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)`;
const pattern = new RegExp(
  `^explain(?:${blanks}*(\\((?:[^()']|'[^']*')*\\))(?=[^\\s,)])?${blanks}*` +
    `|((?:${blanks}+(?:analyze|analyse|verbose)\\b)*)${blanks}+)`,
  'i',
);

/**
 * Cuts `EXPLAIN (options) statement` into its options as written (empty: none) and the statement.
 * null when a comment stands where it cannot be told. A parenthesis directly after EXPLAIN holds
 * options unless it begins a query.
 */
export function explainText(
  text: string,
): { readonly optionsText: string; readonly statementText: string } | null {
  const isQuery = new RegExp(
    `^explain${blanks}*\\(${blanks}*(?:\\(|select\\b|with\\b|values\\b|table\\b)`,
    'i',
  );
  if (isQuery.test(text))
    return { optionsText: '', statementText: text.slice('explain'.length).trim() };
  const match = pattern.exec(text);
  if (match === null) return null;
  const optionsText = (match[1] ?? match[2] ?? '').trim();
  return { optionsText, statementText: text.slice(match[0].length) };
}
