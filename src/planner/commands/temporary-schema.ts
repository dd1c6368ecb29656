import type { RelationSchema, Schema } from '../schema.ts';

/** The alias of a session's own temporary schema. */
export const temporarySchema = 'pg_temp';

/**
 * A catalogue with one session's temporary relations in it. PostgreSQL searches them first, unless
 * search_path names their schema (manual, 19.11, search_path).
 */
export function withTemporary(
  base: Schema,
  temporary: ReadonlyMap<string, RelationSchema>,
  version: number,
): Schema {
  return {
    version,
    defaultCollation: base.defaultCollation,
    leftovers: base.leftovers,
    hasFunctions: base.hasFunctions,
    functions: (...name) => base.functions(...name),
    indexed: (...name) => base.indexed(...name),
    relation(schema, name, searchPath) {
      if (schema === temporarySchema) return temporary.get(name) ?? null;
      if (schema !== null) return base.relation(schema, name, searchPath);
      const own = temporary.get(name);
      if (own === undefined) return base.relation(null, name, searchPath);
      const at = searchPath.indexOf(temporarySchema);
      if (at <= 0) return own;
      return base.relation(null, name, searchPath.slice(0, at)) ?? own;
    },
  };
}
