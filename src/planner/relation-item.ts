import type { RangeVarNode } from '../sql/ast.ts';
import { stringsOf } from '../sql/names.ts';
import { refusal } from './refuse.ts';
import type { RelationSchema } from './schema.ts';
import { type Column, type FromItem, renamed, type Shape } from './scope.ts';
import type { StatementContext } from './statement-context.ts';

const instancesMax = 200;

/** A table, view or sequence that FROM names. Throws where no shard could answer for it. */
export function relationItem(context: StatementContext, node: RangeVarNode): FromItem {
  const alias = node.alias?.aliasname ?? node.relname ?? '';
  const known = context.source.results.columnsOf(node);
  if (known !== null) return resultItem(context, node, alias, known);
  const relation = relationOf(context, node);
  const start = context.ties.count;
  const instance = relation === null ? null : noteRelation(context, relation);
  if (relation === null) context.usesHome = true;
  const leaf = relation === null ? null : context.leaves.length;
  const all = relation === null ? [] : columnsOf(relation, instance, leaf);
  const columns = renamed(all, stringsOf(node.alias?.colnames));
  const schema = node.alias === undefined ? (relation?.schema ?? node.schemaname ?? null) : null;
  const shape: Shape = instance === null ? 'replicated' : 'partitioned';
  const items = [{ alias, schema, columns }];
  if (relation !== null) {
    context.leaves.push({ node, alias, relation, instance, columns, filters: [] });
  }
  const end = context.ties.count;
  return { items, columns, open: relation === null, shape, isSorted: false, start, end };
}

/** An intermediate result: the same rows wherever they are sent. */
function resultItem(
  context: StatementContext,
  node: RangeVarNode,
  alias: string,
  known: readonly Column[],
): FromItem {
  context.visited.add(node);
  const columns = renamed(known, stringsOf(node.alias?.colnames));
  const start = context.ties.count;
  const items = [{ alias, schema: null, columns }];
  return { items, columns, open: false, shape: 'replicated', isSorted: false, start, end: start };
}

/** null: not in the snapshot, so it is the catalogue's or the home shard's, or no table at all. */
export function relationOf(context: StatementContext, node: RangeVarNode): RelationSchema | null {
  context.visited.add(node);
  // One to be created: it hides what has its name.
  if (node.relpersistence === 't') return null;
  const { schema, searchPath } = context;
  const relation = schema.relation(node.schemaname ?? null, node.relname ?? '', searchPath);
  if (relation?.readsDistributed === true) {
    throw refusal(
      `view "${relation.name}" reads distributed tables`,
      'Write the query of the view instead of its name.',
    );
  }
  return relation;
}

/** Its number when the relation is distributed. */
export function noteRelation(context: StatementContext, relation: RelationSchema): number | null {
  switch (relation.sharding.kind) {
    case 'distributed': {
      if (context.ties.count >= instancesMax) {
        throw refusal('too many distributed tables in one statement', 'Split the statement.');
      }
      return context.ties.add({
        distribution: relation.sharding.distribution,
        name: relation.name,
      });
    }
    case 'reference':
      context.usesReference = true;
      return null;
    case 'local':
      context.usesHome = true;
      return null;
  }
}

export function columnsOf(
  relation: RelationSchema,
  instance: number | null,
  leaf: number | null = null,
): readonly Column[] {
  const { sharding } = relation;
  return relation.columns.map((base) => {
    const isKey = sharding.kind === 'distributed' && sharding.key === base.name;
    const keys = isKey && instance !== null ? [{ instance, exact: true }] : [];
    return { name: base.name, keys, base, nullable: false, origin: null, leaf };
  });
}
