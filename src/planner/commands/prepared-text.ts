const blank = String.raw`(?:\s|--[^\n]*\n|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)`;
const name = String.raw`(?:"(?:[^"]|"")*"|[^\s"(;]+)`;
const types = String.raw`\((?:[^()]|\([^()]*\))*\)`;

const prepare = new RegExp(
  `^prepare${blank}+${name}${blank}*(${types})?${blank}*as\\b${blank}*`,
  'i',
);
const execute = new RegExp(`^execute${blank}+${name}${blank}*`, 'i');

/**
 * The parts of `PREPARE name (types) AS query` as written; `queryStart`: UTF-16 offset of the query.
 * null when comments make it unclear.
 */
export function prepareText(
  text: string,
): { readonly typesText: string; readonly queryText: string; readonly queryStart: number } | null {
  const match = prepare.exec(text);
  if (match === null) return null;
  const [{ length }, typesText = ''] = match;
  return { typesText, queryText: text.slice(length), queryStart: length };
}

/** The arguments of `EXECUTE name (...)` as written, with their parentheses. */
export function argumentsText(text: string): string | null {
  const match = execute.exec(text);
  return match === null ? null : text.slice(match[0].length);
}
