import type { LeftoverNames } from '../catalogue/catalogue-snapshot.ts';

/** A function of users that may leave something by itself. */
export type LeavingFunction = { readonly name: string; readonly body: string };

/** A function, operator or relation of users, and all that it is made of, as text. */
export type CallingObject = { readonly name: string; readonly text: string };

/**
 * What in the body of an SQL or PL/pgSQL function may leave something in its session: SET that is not
 * LOCAL, set_config() that is not, EXECUTE of whatever text, and so on. For both PostgreSQL's regular
 * expressions and JavaScript's, without regard to case.
 */
export const leavingPattern = [
  String.raw`(^|;|>>|\*/|--[^\n]*\n|(^|[^a-z0-9_$])(begin|then|else|loop|atomic))\s*set\s+(?!(local|constraints|transaction)\s)`,
  String.raw`set_config\s*\((?![^()]*,\s*true\s*\))`,
  String.raw`(^|[^a-z0-9_$])(reset|discard|listen|unlisten|prepare|execute|with\s+hold)\s`,
  String.raw`(^|[^a-z0-9_$])(temp|temporary)\s+(table|view|sequence|recursive)`,
  String.raw`into\s+(temp|temporary)\s`,
  'pg_temp',
  'pg_(try_)?advisory_(un)?lock',
  String.raw`(^|[^a-z0-9_$])load\s+'`,
  '(^|[^a-z0-9_$])(dblink|set_limit)',
].join('|');

/** How many parameters are asked for at most. */
const settingsMax = 100;

/** All that may come to call one of `leaving`, by the names that stand in it. */
export function findLeftovers(
  leaving: readonly LeavingFunction[],
  objects: readonly CallingObject[],
): LeftoverNames {
  const names = new Set(leaving.map(({ name }) => name.toLowerCase()));
  let open = objects.map(({ name, text }) => ({ name: name.toLowerCase(), words: wordsOf(text) }));
  for (;;) {
    const found = open.filter(({ words }) => words.some((word) => names.has(word)));
    if (found.length === 0) break;
    for (const { name } of found) names.add(name);
    open = open.filter((object) => !found.includes(object));
  }
  const settings = new Set(leaving.flatMap(({ body }) => settingsOf(body)));
  return { names: [...names].sort(), settings: [...settings].sort().slice(0, settingsMax) };
}

/** Names and operators. */
function wordsOf(text: string): readonly string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}_$]+|[-+*/<>=~!@#%^&|`?]+/gu);
  return [...new Set(words)];
}

/** Parameters with a dot in their names, in quotes or right of SET. */
function settingsOf(body: string): readonly string[] {
  const found = [
    ...body.matchAll(/'([a-z_][\w$]*(?:\.[a-z_][\w$]*)+)'/gi),
    ...body.matchAll(/\bset\s+(?:session\s+)?([a-z_][\w$]*(?:\.[a-z_][\w$]*)+)\s*(?:=|to\s)/gi),
  ];
  return found.map(([, name = '']) => name.toLowerCase());
}
