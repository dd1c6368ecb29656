import { splitNames } from './search-path.ts';

/** The value of a setting, as SHOW or a startup packet gives it, as SQL right of SET ... TO. */
export function settingText(name: string, value: string): string {
  // Lists of names would be taken for one name if they were quoted as a whole.
  if (name !== 'search_path' && name !== 'temp_tablespaces') return quoted(value);
  return splitNames(value).map(quoted).join(', ') || "''";
}

function quoted(value: string): string {
  const doubled = value.replaceAll("'", "''");
  return value.includes('\\') ? ` E'${doubled.replaceAll('\\', '\\\\')}'` : `'${doubled}'`;
}
