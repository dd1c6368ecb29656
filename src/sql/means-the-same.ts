/**
 * Whether PostgreSQL, parsing the text again, must arrive at the same statement unless it would
 * notice by itself that a kept one is out of date (a changed table, operator or schema). It reads
 * literals while it parses ('today' or a time without its zone may be another one tomorrow), it
 * does not notice that a better fitting function has been created, and it says each time that a
 * name is too long.
 */
export function meansTheSame(text: string): boolean {
  if (text.includes("'") || /\$(?!\d)/.test(text)) return false;
  for (const [name] of text.matchAll(/(?:"[^"]*")+|[\p{L}\p{N}_$]+/gu)) {
    if (Buffer.byteLength(name) > nameBytesMax) return false;
  }
  for (const [, word = ''] of text.matchAll(/(?<![\p{L}\p{N}_"])([\p{L}\p{N}_"]+)\s*\(/gu)) {
    if (!syntaxWords.has(word.toLowerCase())) return false;
  }
  return true;
}

/** Longer ones are cut off, with a notice each time (manual, 4.1.1). */
const nameBytesMax = 63;

/** May stand before a parenthesis without being a function. */
const syntaxWords = new Set(
  `all and any array as between by case coalesce distinct else except exists from greatest having in
  intersect is join lateral least like limit not nullif offset on or order over row select some then
  union using values when where with`.split(/\s+/),
);
