const blank = String.raw`(?:\s|--[^\n]*\n|/\*[^*]*\*+(?:[^/*][^*]*\*+)*/)`;
const name = String.raw`(?:"(?:[^"]|"")*"|[^\s"]+)`;
const option = String.raw`(?:binary|asensitive|insensitive|no|scroll)\b`;
const hold = `(?:${blank}+(?:with|without)${blank}+hold)?`;

const declare = new RegExp(
  `^declare${blank}+${name}${blank}*(?:${option}${blank}*)*cursor${hold}${blank}+for\\b${blank}*`,
  'i',
);

/**
 * The query of `DECLARE name options CURSOR FOR query`, as written, and where it begins. null when
 * comments or an unusual name make it unclear.
 */
export function declareText(
  text: string,
): { readonly queryText: string; readonly queryStart: number } | null {
  const match = declare.exec(text);
  if (match === null) return null;
  const [{ length }] = match;
  return { queryText: text.slice(length), queryStart: length };
}
