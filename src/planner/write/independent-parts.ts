import type { RangeVarNode, SqlNode } from '../../sql/ast.ts';
import { builtinName, stringsOf } from '../../sql/names.ts';
import { walk } from '../../sql/walk.ts';
import { refusal } from '../refuse.ts';
import type { RelationSchema } from '../schema.ts';
import type { StatementSource } from '../statement-context.ts';
import { rangeVarsIn } from '../utility/utility-subjects.ts';

/** A write of a WITH, or what follows it. */
type Part = { readonly tree: SqlNode; readonly written: RangeVarNode | null };

const oneAtATime = 'Write one after the other, in one transaction.';

/**
 * In PostgreSQL all parts of a statement see the tables as they were before it. Done one after the
 * other they do so only if none touches what another one has written. Throws 0A000 where that is not
 * known.
 */
export function demandIndependent(source: StatementSource, trees: readonly SqlNode[]): void {
  const parts = trees.map((tree): Part => ({ tree, written: writtenIn(tree) }));
  const touched = parts.map(({ tree }) => relationsIn(source, tree));
  for (const [index, { tree, written }] of parts.entries()) {
    if (written === null) continue;
    const relation = resolved(source, written);
    const others = touched.flatMap((each, other) => (other === index ? [] : each));
    if (relation === null || others.some((each) => each === null)) throw unknownTables();
    const family = familyOf(relation);
    const known = others.filter((each) => each !== null);
    if (known.some((each) => familyOf(each) === family)) {
      throw refusal(
        `"${relation.name}" is written in WITH and used elsewhere in the statement, over several shards, is not supported`,
        `${oneAtATime} What the other parts read would not be what it was before.`,
      );
    }
    const doesMore = 'InsertStmt' in tree ? relation.hasUserTriggers : relation.hasRowTriggers;
    if (doesMore === true && known.length > 0) {
      throw refusal(
        `writing "${relation.name}" in WITH, which has triggers or is referred to by foreign keys, over several shards is not supported`,
        oneAtATime,
      );
    }
  }
  for (const { tree } of parts) demandNoVersions(tree);
}

function unknownTables(): Error {
  return refusal(
    'writes in WITH beside views or unknown tables, over several shards is not supported',
    oneAtATime,
  );
}

function writtenIn(tree: SqlNode): RangeVarNode | null {
  if ('InsertStmt' in tree) return tree.InsertStmt.relation ?? null;
  if ('UpdateStmt' in tree) return tree.UpdateStmt.relation ?? null;
  if ('DeleteStmt' in tree) return tree.DeleteStmt.relation ?? null;
  return null;
}

/** null among them: one that nobody knows, or a view, which reads others. */
function relationsIn(source: StatementSource, tree: SqlNode): readonly (RelationSchema | null)[] {
  const queries = queryNamesIn(tree);
  return rangeVarsIn(tree).flatMap((node) => {
    if (source.results.columnsOf(node) !== null) return [];
    if (isNoRelation(source, node) && queries.has(node.relname ?? '')) return [];
    const relation = resolved(source, node);
    if (relation?.schema === 'pg_catalog') return [];
    return [relation];
  });
}

/** Queries of WITH that stay with the statement: what they read is in the tree, too. */
function queryNamesIn(tree: SqlNode): ReadonlySet<string> {
  const names = new Set<string>();
  walk(tree, (node) => {
    if ('CommonTableExpr' in node) names.add(node.CommonTableExpr.ctename ?? '');
    return true;
  });
  return names;
}

function isNoRelation({ schema, searchPath }: StatementSource, node: RangeVarNode): boolean {
  if (node.schemaname !== undefined) return false;
  return schema.relation(null, node.relname ?? '', searchPath) === null;
}

function resolved(source: StatementSource, node: RangeVarNode): RelationSchema | null {
  const { schema, searchPath } = source;
  const relation = schema.relation(node.schemaname ?? null, node.relname ?? '', searchPath);
  return relation?.kind === 'table' ? relation : null;
}

function familyOf({ schema, name, family = `${schema}.${name}` }: RelationSchema): string {
  return family;
}

/** RETURNING old.*, new.*: there is no query that has these. */
function demandNoVersions(tree: SqlNode): void {
  walk(tree, (node) => {
    const fields = 'ColumnRef' in node ? stringsOf(node.ColumnRef.fields) : [];
    const isVersion = fields.length > 1 && (fields[0] === 'old' || fields[0] === 'new');
    const isAction = 'FuncCall' in node && builtinName(node.FuncCall.funcname) === 'merge_action';
    if (isVersion || isAction) {
      throw refusal(
        'RETURNING of old and new rows in WITH over several shards is not supported',
        oneAtATime,
      );
    }
    return true;
  });
}
