import type { RangeVarNode } from '../../sql/ast.ts';
import type { PlanRequest } from '../plan-request.ts';
import type { RelationSchema, Residence } from '../schema.ts';

/** null: no relation and no index of that name is known. */
export function relationOfName(
  { schema, searchPath }: PlanRequest,
  { schemaname, relname = '' }: RangeVarNode,
): RelationSchema | null {
  const inSchema = schemaname ?? null;
  return (
    schema.relation(inSchema, relname, searchPath) ?? schema.indexed(inSchema, relname, searchPath)
  );
}

/** As it is, or as it will be: a name that nobody knows is the home shard's, unless it is listed. */
export function residenceOf(request: PlanRequest, node: RangeVarNode): Residence {
  const known = relationOfName(request, node)?.residence ?? null;
  if (known !== null) return known;
  return isListed(request, node) ? { kind: 'every-shard', lacking: [] } : { kind: 'home' };
}

/** The shard map names it; it need not exist. */
export function isListed(
  { searchPath, tables }: PlanRequest,
  { schemaname, relname = '' }: RangeVarNode,
): boolean {
  const schemas = schemaname === undefined ? searchPath : [schemaname];
  return schemas.some((schema) => tables.has(`${schema}.${relname}`));
}

export function isOfEveryShard(
  residence: Residence,
): residence is Extract<Residence, { readonly kind: 'every-shard' }> {
  return residence.kind === 'every-shard';
}
