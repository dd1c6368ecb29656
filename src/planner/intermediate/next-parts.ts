import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { walk } from '../../sql/walk.ts';
import { callsIn } from '../aggregate-calls.ts';
import type { Analysis } from '../analysis.ts';
import type { Leaf } from '../leaf.ts';
import { isGroupableColumn } from '../one-pass/groupable-type.ts';
import { returnsSets } from '../one-pass/rows-of-shards.ts';
import { reference } from '../outputs.ts';
import { type Column, plainColumn } from '../scope.ts';
import type { BlockRecord, StatementContext } from '../statement-context.ts';
import { tableOidName } from '../table-oid-name.ts';
import { plainSelect, target, without } from '../tree-builders.ts';
import { weightOf } from './anchors.ts';
import { decorrelated } from './decorrelate.ts';
import { keepGrouping } from './keep-grouping.ts';
import type { Part } from './part.ts';
import { replaceNodes } from './replace-nodes.ts';
import { resultRead, resultTable } from './result-read.ts';
import { isSelfContained } from './self-contained.ts';
import { qualifiedReferences, tableQuery } from './ship-table.ts';
import { readsTableOid, tableOidTarget, withTableOids } from './table-oids.ts';
import { wholeRowReferences } from './whole-rows.ts';

/**
 * The parts that may come next, the best first. Each brings the statement nearer to what a
 * single pass over the shards can answer: subqueries that need rows of several shards for
 * themselves; then whatever is not on the shards of the anchor, the largest class of tables
 * joined by their keys; then, when nothing else is left, everything.
 */
export function* nextParts(analysis: Analysis): Generator<Part> {
  const { context, block } = analysis;
  const shippable = context.blocks.filter(
    (record) => record.block !== block && isShippable(context, record),
  );
  for (const record of shippable) {
    if (record.block.shape === 'dependent') yield* queryParts(analysis, record);
  }
  const anchor = anchorOf(analysis);
  const { written } = context.source;
  const movable = context.leaves.filter((leaf) => leaf.node !== written);
  const outside = movable.filter((leaf) => isMoved(context, leaf, anchor));
  const moved = outside.length > 0 ? outside : movable.filter(isDistributed);
  const staying = outside.length > 0 ? anchor : null;
  for (const leaf of [...moved].sort((a, b) => weightOf(a) - weightOf(b))) {
    const around = (records: readonly BlockRecord[]) =>
      records.findLast(
        (record) => holds(record, leaf) && (staying === null || !hasRoot(context, record, staying)),
      );
    const query = around(shippable);
    if (query !== undefined) yield* queryParts(analysis, query);
    const scalar = around(
      context.blocks.filter(({ select }) => context.uses.get(select) === 'value'),
    );
    const lookup = scalar === undefined ? null : decorrelated(context, analysis.select, scalar);
    if (lookup !== null) yield lookup;
    yield* tableParts(analysis, leaf);
  }
}

function isDistributed(leaf: Leaf): boolean {
  return leaf.instance !== null;
}

/** Reference tables are everywhere; tables of the home shard are not. */
function isMoved(context: StatementContext, leaf: Leaf, anchor: number | null): boolean {
  if (leaf.instance !== null) return context.ties.rootOf(leaf.instance) !== anchor;
  return anchor !== null && leaf.relation.sharding.kind === 'local';
}

/** It can run by itself, and its result can stand in its place. */
function isShippable(context: StatementContext, record: BlockRecord): boolean {
  const { block, select } = record;
  if (block.open || block.end === block.start || block.columns.length === 0) return false;
  const isArm = context.uses.get(select) === 'arm';
  if (isArm && (hasBareValues(select) || hasCollations(select))) return false;
  return isSelfContained(context, record);
}

/** An arm of UNION takes the type of a bare value from the other arms. */
function hasBareValues(select: SelectNode): boolean {
  return (select.targetList ?? []).some((node) => {
    const value = 'ResTarget' in node ? node.ResTarget.val : undefined;
    return value !== undefined && ('ParamRef' in value || 'A_Const' in value);
  });
}

/** COLLATE wins over the collations of the other arms, which that of a result's column does not. */
function hasCollations(select: SelectNode): boolean {
  let found = false;
  walk(select.targetList, (node) => {
    if ('CollateClause' in node) found = true;
    return !found && !('SelectStmt' in node);
  });
  return found;
}

function holds({ block }: BlockRecord, { instance }: Leaf): boolean {
  return instance !== null && instance >= block.start && instance < block.end;
}

function hasRoot(context: StatementContext, { block }: BlockRecord, root: number): boolean {
  for (let instance = block.start; instance < block.end; instance += 1) {
    if (context.ties.rootOf(instance) === root) return true;
  }
  return false;
}

/**
 * The tables that stay on their shards: those of the heaviest class in the outermost FROM. null
 * when every row has to move.
 */
function anchorOf({ context, block }: Analysis): number | null {
  const written = context.leaves.find((leaf) => leaf.node === context.source.written);
  if (written !== undefined) {
    return written.instance === null ? null : context.ties.rootOf(written.instance);
  }
  if (block.body.kind !== 'select' || usesUnknownHome(context)) return null;
  const candidates = new Map<number, Leaf[]>();
  for (const item of block.body.scope.from) {
    if (item.shape !== 'partitioned') continue;
    for (let instance = item.start; instance < item.end; instance += 1) {
      const leaf = context.leaves.find((other) => other.instance === instance);
      const root = context.ties.rootOf(instance);
      if (leaf !== undefined) candidates.set(root, [...(candidates.get(root) ?? []), leaf]);
    }
  }
  return context.source.anchors.choose(candidates);
}

/** Relations whose columns are not known, catalogues for one, can be read on the home shard only. */
function usesUnknownHome(context: StatementContext): boolean {
  return (
    context.usesHome && !context.leaves.some((leaf) => leaf.relation.sharding.kind === 'local')
  );
}

/** First with as few rows as its use allows. */
function* queryParts(analysis: Analysis, record: BlockRecord): Generator<Part> {
  const { select } = record;
  const part = queryPart(analysis, record);
  const use = analysis.context.uses.get(select);
  if (isLimitOf(analysis, select)) yield withLimitInside(part, analysis.select);
  if (isPlain(select)) {
    const distinctClause: SqlNode[] = [{} as SqlNode];
    const { sortClause: _, ...unordered } = select;
    if (use === 'existence') {
      const targetList = [target(truth)];
      const columns = [plainColumn('exists')];
      yield {
        kind: 'query',
        select: { ...unordered, targetList, distinctClause },
        columns,
        replace: (name) => inPlaceOfQuery(analysis.select, record, columns, name),
      };
    }
    if (use === 'members') yield { ...part, select: { ...unordered, distinctClause } };
  }
  yield part;
}

/** `SELECT ... FROM (SELECT ... ORDER BY ...) LIMIT n`: the limit may as well stand inside. */
function isLimitOf({ select }: Analysis, inner: SelectNode): boolean {
  const { fromClause: [from, ...others] = [], whereClause, sortClause } = select;
  const isAround =
    from !== undefined &&
    'RangeSubselect' in from &&
    from.RangeSubselect.subquery !== undefined &&
    'SelectStmt' in from.RangeSubselect.subquery &&
    from.RangeSubselect.subquery.SelectStmt === inner;
  if (!isAround || others.length > 0 || !isLimited(select)) return false;
  if (inner.sortClause === undefined || isLimited(inner)) return false;
  if (whereClause !== undefined || sortClause !== undefined) return false;
  return isPlain(withoutLimit(select));
}

function withLimitInside(part: Part, { limitCount, limitOffset, limitOption }: SelectNode): Part {
  return {
    ...part,
    select: {
      ...part.select,
      ...(limitCount === undefined ? {} : { limitCount }),
      ...(limitOffset === undefined ? {} : { limitOffset }),
      ...(limitOption === undefined ? {} : { limitOption }),
    },
    replace: (name) => withoutLimit(part.replace(name)),
  };
}

function isLimited({ limitCount, limitOffset }: SelectNode): boolean {
  return limitCount !== undefined || limitOffset !== undefined;
}

function withoutLimit(select: SelectNode): SelectNode {
  const { limitOption } = plainSelect;
  return { ...without(select, 'limitCount', 'limitOffset'), limitOption };
}

const truth: SqlNode = { A_Const: { boolval: { boolval: true } } };

/** Its rows are those of its FROM and WHERE, one for one. */
function isPlain(select: SelectNode): boolean {
  const { distinctClause, groupClause, havingClause, limitCount, limitOffset } = select;
  const others = [distinctClause, groupClause, havingClause, limitCount, limitOffset];
  const { aggregates, windows } = callsIn(select.targetList);
  return (
    select.fromClause !== undefined &&
    others.every((clause) => clause === undefined) &&
    aggregates.length + windows.length === 0 &&
    !returnsSets(select.targetList)
  );
}

function queryPart({ select }: Analysis, record: BlockRecord): Part {
  const columns = record.block.columns.map((column) => ({ ...column, keys: [], leaf: null }));
  return {
    kind: 'query',
    select: record.select,
    columns,
    replace: (name) => inPlaceOfQuery(select, record, columns, name),
  };
}

function inPlaceOfQuery(
  select: SelectNode,
  record: BlockRecord,
  columns: readonly Column[],
  relname: string,
): SelectNode {
  const names = columns.map((column) => column.name);
  const star: SqlNode = { ColumnRef: { fields: [{ A_Star: {} }] } };
  const isUnique = new Set(names).size === names.length;
  const read: SelectNode = {
    ...plainSelect,
    targetList: isUnique ? names.map((name) => target(reference([name]))) : [target(star)],
    fromClause: [resultRead(relname)],
  };
  return replaceNodes(select, new Map<object, unknown>([[record.select, read]]));
}

/** Where only membership counts, each row is needed once. */
function* tableParts(analysis: Analysis, leaf: Leaf): Generator<Part> {
  const part = tablePart(analysis, leaf);
  if (part === null) return;
  const select = queryOf(analysis.context, leaf)?.select ?? {};
  const use = analysis.context.uses.get(select);
  const isOnce = (use === 'existence' || use === 'members') && isPlain(select);
  if (isOnce && leaf.instance !== null && part.columns.every(isGroupableColumn)) {
    yield { ...part, select: { ...part.select, distinctClause: [{} as SqlNode] } };
  }
  yield part;
}

/** The query whose FROM names the table. */
function queryOf(context: StatementContext, leaf: Leaf): BlockRecord | undefined {
  const index = context.leaves.indexOf(leaf);
  return context.blocks.find(
    ({ block: { body } }) =>
      body.kind === 'select' &&
      body.scope.from.some((item) => item.columns.some((column) => column.leaf === index)),
  );
}

function tablePart({ context, select }: Analysis, leaf: Leaf): Part | null {
  // All rows of the result meet its conditions.
  const met = new Map<object, unknown>(leaf.filters.map((filter) => [filter, truth]));
  const rest: SqlNode = { SelectStmt: replaceNodes(select, met) };
  const { select: query, columns: names } = tableQuery(leaf, rest);
  const columns = names.flatMap((name) => {
    const column = leaf.columns.find((other) => other.name === name);
    return column === undefined ? [] : [{ ...column, keys: [], leaf: null }];
  });
  const grouping = keepGrouping(context, leaf, columns);
  if (grouping === null || hasNamesake(context, leaf)) return null;
  const sample = context.samples.get(leaf.node);
  const hasOid = readsTableOid(context, leaf);
  const replacementsOf = (resultName: string) => {
    const replacements = new Map<object, unknown>([
      ...met,
      ...qualifiedReferences(leaf, rest),
      ...wholeRowReferences(context, leaf),
      sample === undefined
        ? [leaf.node, resultTable(resultName, leaf.alias)]
        : [sample, resultRead(resultName, leaf.alias)],
    ]);
    return hasOid ? withTableOids(context, leaf, replacements) : replacements;
  };
  if (replacementsOf('') === null) return null;
  const asked = hasOid ? withTarget(query, tableOidTarget(leaf)) : query;
  return {
    kind: 'table',
    select: sample === undefined ? asked : { ...asked, fromClause: [sample] },
    columns: hasOid ? [...columns, plainColumn(tableOidName)] : columns,
    // First the queries around it, whose copies still hold the objects that are replaced next.
    replace: (resultName) =>
      replaceNodes(replaceNodes(select, grouping), replacementsOf(resultName) ?? new Map()),
  };
}

function withTarget(select: SelectNode, added: SqlNode): SelectNode {
  return { ...select, targetList: [...(select.targetList ?? []), added] };
}

/** Tables of two schemas may have one name beside each other; a result and a table may not. */
function hasNamesake(context: StatementContext, leaf: Leaf): boolean {
  return context.leaves.some(
    ({ node, alias, relation }) =>
      node.alias === undefined && alias === leaf.alias && relation.schema !== leaf.relation.schema,
  );
}
