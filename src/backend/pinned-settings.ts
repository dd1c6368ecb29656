/**
 * Settings that decide what a text means, so that the planner must know them before any server is
 * asked: every server session begins with them, whatever the defaults of its role and database.
 */
export const pinnedSettings = {
  search_path: '"$user", public',
  standard_conforming_strings: 'on',
  array_nulls: 'on',
} as const;
