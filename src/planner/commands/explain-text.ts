const blank = String.raw`(?:\s|--[^\n]*\n|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)`;
const options = String.raw`\((?:[^()']|'[^']*')*\)`;
const words = `(?:${blank}+(?:analyze|analyse|verbose)\\b)*`;

const query = new RegExp(
  `^explain${blank}*\\(${blank}*(?:\\(|(?:select|with|values|table)\\b)`,
  'i',
);
const explain = new RegExp(`^explain(?:${blank}*(${options})${blank}*|(${words})${blank}+)`, 'i');

/**
 * Cuts `EXPLAIN (options) statement` into its options as written (empty: none) and the statement.
 * A parenthesis directly after EXPLAIN holds options unless it begins a query. null when comments
 * make it unclear.
 */
export function explainText(
  text: string,
): { readonly optionsText: string; readonly statementText: string } | null {
  if (query.test(text)) {
    return { optionsText: '', statementText: text.slice('explain'.length).trim() };
  }
  const match = explain.exec(text);
  if (match === null) return null;
  const optionsText = (match[1] ?? match[2] ?? '').trim();
  return { optionsText, statementText: text.slice(match[0].length) };
}
