import type { SessionSettings } from '../backend/session-settings.ts';

/** The server's own default, which pgweave assumes (manual, section "The Schema Search Path"). */
const defaultSearchPath = '"$user", public';

/** The schemas that unqualified names are looked up in, `$user` replaced. */
export function searchPathOf(settings: SessionSettings, userName: string): readonly string[] {
  const text = settings.values.get('search_path') ?? defaultSearchPath;
  return splitNames(text).map((name) => (name === '$user' ? userName : name));
}

/**
 * Splits a list of names: plain ones are folded to lower case, "quoted" and 'literal' ones kept.
 */
export function splitNames(text: string): readonly string[] {
  const names: string[] = [];
  const pattern = /\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|([^,\s"']+))\s*(?:,|$)/gy;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [, quoted, literal, plain] = match;
    if (quoted !== undefined) names.push(quoted.replaceAll('""', '"'));
    else if (literal !== undefined) names.push(literal.replaceAll("''", "'"));
    else if (plain !== undefined) names.push(plain.toLowerCase());
    if (pattern.lastIndex >= text.length) break;
  }
  return names.filter((name) => name !== '');
}
