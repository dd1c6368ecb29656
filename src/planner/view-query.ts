import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { SelectNode } from '../sql/ast.ts';
import { parseStatement } from '../sql/parser.ts';
import { markFunctions } from './mark-functions.ts';
import type { RelationSchema, Schema } from './schema.ts';

/** Parsed once for each reading of the catalogue. */
const parsed = new WeakMap<RelationSchema, SelectNode>();

/** The query that stands behind a view, as its server prints it. */
export function viewQuery(view: RelationSchema, schema: Schema): SelectNode | null {
  const known = parsed.get(view);
  if (known !== undefined || view.definition === null) return known ?? null;
  const outcome = parseStatement(view.definition, view.definition);
  if (outcome.kind !== 'parsed' || !('SelectStmt' in outcome.statement)) {
    throw new PgError(SqlState.internalError, `the query of view "${view.name}" cannot be read`);
  }
  // Names of what is not PostgreSQL's own come with their schemas.
  const query = markFunctions(outcome.statement.SelectStmt, schema, []);
  parsed.set(view, query);
  return query;
}
