import type { Reject } from '../plan.ts';
import { refuse } from '../refuse.ts';

/** The session's own answer to whether whole tables may be written over several shards. */
export const safeWrites = 'pgweave.safe_writes';

/**
 * Settings that would change how statements are read or what an acknowledged commit means, end a server's
 * session, or could not be taken back there, by the values that are allowed.
 */
const limits: { readonly [name: string]: { readonly values: RegExp; readonly hint: string } } = {
  standard_conforming_strings: {
    values: /^'?(?:on|true|yes|1)'?$/i,
    hint: "Write E'...' for strings with backslash escapes.",
  },
  array_nulls: {
    values: /^'?(?:on|true|yes|1)'?$/i,
    hint: 'Write the word "NULL" in quotes.',
  },
  synchronous_commit: {
    values: /^'?(?:on|true|yes|1|remote_apply)'?$/i,
    hint: 'A failover could lose commits that were acknowledged.',
  },
  client_encoding: {
    values: /^'(?:utf-?8|unicode)'$/i,
    hint: 'Use UTF8, and convert in the application.',
  },
  [safeWrites]: {
    values: /^'?(?:on|off|true|false|yes|no|1|0)'?$/i,
    hint: 'It is on or off.',
  },
  exit_on_error: {
    values: /^'?(?:off|false|no|0)'?$/i,
    hint: 'Close the session in the application.',
  },
  // RESET does not know it.
  seed: {
    values: /^(?!)/,
    hint: 'The seed stays with a server connection; pass random values as parameters.',
  },
};

/** Why a client may not give a setting this value, which is SQL text right of SET ... TO. */
export function settingLimit(name: string, value: string): Reject | null {
  // Clients choose the name, `constructor` too.
  const limit = Object.hasOwn(limits, name) ? limits[name] : undefined;
  if (limit === undefined || limit.values.test(value)) return null;
  return refuse(`${name} cannot be set to ${value}`, limit.hint);
}
