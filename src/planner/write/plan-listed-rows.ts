import { assert } from '../../base/assert.ts';
import type { InsertNode, SelectNode, SqlNode } from '../../sql/ast.ts';
import { walk } from '../../sql/walk.ts';
import type { Analysis } from '../analysis.ts';
import { callsNextval, insertedNames } from '../analyze-write.ts';
import { replaceNodes } from '../intermediate/replace-nodes.ts';
import { stableValues } from '../intermediate/stable-values.ts';
import { valueOperand } from '../keys/key-operand.ts';
import { reference } from '../outputs.ts';
import type { ListedRow, Reject, ShardQuery, WriteStep } from '../plan.ts';
import { refuse } from '../refuse.ts';
import { rewriteWrite, valueName } from '../rewrite-query.ts';
import type { RelationSchema } from '../schema.ts';
import { StatementContext, type StatementSource } from '../statement-context.ts';
import { insertAsSelect } from './as-select.ts';
import { computedValues } from './computed-values.ts';
import { joinedRows, rowTexts } from './row-texts.ts';
import { settle } from './settle.ts';
import { withStableValuesListed } from './stable-defaults.ts';
import { writeRoute } from './write-route.ts';

type Keys = { readonly keys: readonly ListedRow['key'][]; readonly node: InsertNode };

/** INSERT ... VALUES: each row goes to the shard that owns its key. */
export function planListedRows(
  source: StatementSource,
  node: InsertNode,
  values: SelectNode,
  relation: RelationSchema,
): WriteStep | Reject {
  const { sharding } = relation;
  assert(sharding.kind === 'distributed' && node.relation !== undefined, 'rows with keys');
  const { keys, node: plain } = keysOf(source, node, values, relation);
  const keyed = withStableValuesListed(source, relation, plain);
  const seen = insertAsSelect(keyed);
  const around = { ...source, written: node.relation };
  const settled = settle(around, seen.select, readsNoOtherShard);
  if ('kind' in settled) return settled;
  const statement = settled.select === seen.select ? keyed : insertOf(seen.apply(settled.select));
  const query = textOf(source, statement);
  if (query.kind === 'reject') return query;
  const texts = rowTexts(query.pieces, keys.length);
  if (texts === null) {
    return refuse(
      'this VALUES list cannot be split over several shards',
      'Write it in a simpler way, or insert the rows of one key at a time.',
    );
  }
  const { head, rows, tail } = texts;
  const listed = keys.map((key, index) => ({ key, pieces: rows[index] ?? [] }));
  return {
    kind: 'listed-rows',
    distribution: sharding.distribution.name,
    head,
    rows: listed,
    tail,
    hasEveryRow: hasEveryRow(node),
    sharesParameters: sharesParameters(source.statement),
    route: writeRoute({ kind: 'rewritten', pieces: joinedRows(head, rows, tail) }),
  };
}

/** As many pieces as the client's text has, or as what is printed of the changed statement. */
function textOf(source: StatementSource, node: InsertNode) {
  const { statement, lexed } = source;
  if ('InsertStmt' in statement && statement.InsertStmt === node) {
    return { kind: 'rewritten', pieces: [lexed.fingerprint] } as const;
  }
  const tree = { InsertStmt: node };
  const query: ShardQuery | Reject = rewriteWrite(new StatementContext(source, tree), tree);
  assert(query.kind !== 'as-received', 'a changed statement');
  return query;
}

/** A row that is in the way is not returned, nor is one that WHERE keeps from being changed. */
function hasEveryRow({ onConflictClause: conflict }: InsertNode): boolean {
  if (conflict === undefined) return true;
  return conflict.action === 'ONCONFLICT_UPDATE' && conflict.whereClause === undefined;
}

function sharesParameters(statement: SqlNode): boolean {
  const seen = new Set<number>();
  let found = false;
  walk(statement, (node) => {
    const number = 'ParamRef' in node ? (node.ParamRef.number ?? 0) : 0;
    if (number > 0 && seen.has(number)) found = true;
    seen.add(number);
    return !found;
  });
  return found;
}

/** Nothing but what each shard has: the row's own table, reference tables, results. */
function readsNoOtherShard({ context, select }: Analysis): boolean {
  return context.ties.count <= 1 && !context.usesHome && stableValues(select) === null;
}

/**
 * Keys that are no plain values are computed first, all by one server, and so are values that call
 * nextval(): the sequence may be one that the row's own shard does not have.
 */
function keysOf(
  source: StatementSource,
  node: InsertNode,
  values: SelectNode,
  relation: RelationSchema,
): Keys {
  const { sharding } = relation;
  assert(sharding.kind === 'distributed', 'rows with keys');
  const position = insertedNames(relation, node).indexOf(sharding.key);
  const rows = (values.valuesLists ?? []).map((row) =>
    'List' in row ? (row.List.items ?? []) : [],
  );
  const expressions = rows.map((items) => {
    const value = items[position];
    assert(value !== undefined, 'every row has a key');
    return value;
  });
  const context = new StatementContext(source, source.statement);
  const read = expressions.map((each) =>
    valueOperand(context, each, sharding.distribution.keyType),
  );
  context.settleParameters();
  const computed = rows.flatMap((items, row) =>
    items.filter((item, at) => (at === position ? read[row] === null : callsNextval(item))),
  );
  const places = computedValues(source, computed);
  const replacements = new Map<object, unknown>(
    [...places].map(([expression, place]) => [expression, reference([valueName(place)])]),
  );
  const keys = expressions.map((each, index): ListedRow['key'] => {
    const value = read[index];
    assert(value !== 'null', 'a NULL key has been refused');
    if (value !== null && value !== undefined) return { kind: 'value', value };
    const place = places.get(each);
    assert(place !== undefined, 'a key that is no plain value is computed');
    return { kind: 'result', ...place };
  });
  const changed = replacements.size === 0 ? node : replaceNodes(node, replacements);
  return { keys, node: changed };
}

function insertOf(statement: SqlNode): InsertNode {
  assert('InsertStmt' in statement, 'an INSERT stays one');
  return statement.InsertStmt;
}
