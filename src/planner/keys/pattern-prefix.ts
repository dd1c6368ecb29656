/** The characters before the first wildcard of a LIKE pattern; a backslash escapes. */
export function patternPrefix(pattern: string): string {
  let prefix = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern.charAt(at);
    if (character === '%' || character === '_') break;
    if (character === '\\') at += 1;
    prefix += pattern.charAt(at);
  }
  return prefix;
}
