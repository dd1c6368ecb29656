/** The setting with which commits wait for exactly the standby of this application name. */
export function namesFor(applicationName: string): string {
  return `FIRST 1 (${quoted(applicationName)})`;
}

/**
 * `names`, a value of synchronous_standby_names, makes commits wait for the standby of this name and
 * counts no other in its stead. Knows the spellings of a list of one; whatever else is valid is "no".
 */
export function synchronousOnly(names: string, applicationName: string): boolean {
  const match = /^\s*(?:(?:(?:FIRST|ANY)\s+)?1\s*\(\s*(.+?)\s*\)|(.+?))\s*$/is.exec(names);
  const element = match?.[1] ?? match?.[2];
  if (element === undefined) return false;
  if (element === quoted(applicationName)) return true;
  // Names match without regard to case; unquoted ones are identifiers.
  return /^[a-z_][\w$]*$/i.test(element) && element.toLowerCase() === applicationName.toLowerCase();
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
