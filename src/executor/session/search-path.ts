import { pinnedSettings } from '../../backend/pinned-settings.ts';
import type { SessionSettings } from '../../backend/session-settings.ts';

/** The schemas that unqualified names are looked up in, `$user` replaced. */
export function searchPathOf(settings: SessionSettings, userName: string): readonly string[] {
  const text = settings.values.get('search_path') ?? pinnedSettings.search_path;
  return splitNames(text).map((name) =>
    name === '$user' ? currentUser(settings, userName) : name,
  );
}

/** SET ROLE and SET SESSION AUTHORIZATION change what `$user` stands for. */
function currentUser(settings: SessionSettings, userName: string): string {
  const role = splitNames(settings.values.get('role') ?? 'none')[0] ?? 'none';
  if (role !== 'none') return role;
  return splitNames(settings.values.get('session_authorization') ?? '')[0] ?? userName;
}

/**
 * Splits a list of names: plain ones are folded to lower case, "quoted" and 'literal' ones kept.
 */
export function splitNames(text: string): readonly string[] {
  const names: string[] = [];
  // Written so that a name of any length takes one step of the pattern for each of its quotes.
  const pattern = /\s*(?:"([^"]*(?:""[^"]*)*)"|'([^']*(?:''[^']*)*)'|([^,\s"']+))\s*(?:,|$)/gy;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [, quoted, literal, plain] = match;
    if (quoted !== undefined) names.push(quoted.replaceAll('""', '"'));
    else if (literal !== undefined) names.push(literal.replaceAll("''", "'"));
    else if (plain !== undefined) names.push(plain.toLowerCase());
    if (pattern.lastIndex >= text.length) break;
  }
  return names.filter((name) => name !== '');
}
