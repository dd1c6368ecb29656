import { assert } from '../base/assert.ts';
import type { SelectNode, SqlNode, SubLinkNode } from '../sql/ast.ts';
import { builtinName } from '../sql/names.ts';
import { walk } from '../sql/walk.ts';
import { callsIn } from './aggregate-calls.ts';
import type { Block } from './block.ts';
import type { BlockAnalyzer } from './block-analyzer.ts';
import { blockTraits } from './block-traits.ts';
import { type Cte, type CteScope, withCtes } from './cte-scope.ts';
import { analyzeFrom } from './from-clause.ts';
import { applyConjuncts, conjunctsOf, type Filtered, tieColumns } from './keys/conjuncts.ts';
import { joinShape } from './keys/join-shape.ts';
import { columnOperand } from './keys/key-operand.ts';
import {
  dependsOnOrder,
  dependsOnOrderOfRows,
  keepsOrderOfRows,
} from './one-pass/order-of-rows.ts';
import { outputsOf } from './outputs.ts';
import {
  type Column,
  isSameType,
  plainColumn,
  renamed,
  resolveColumn,
  type Scope,
} from './scope.ts';
import type { StatementContext } from './statement-context.ts';

/** Analyses INSERT, UPDATE and DELETE inside WITH. */
export type WriteAnalyzer = (
  context: StatementContext,
  statement: SqlNode,
  ctes: CteScope | null,
) => void;

/** Collects into the context what a SELECT and everything in it say about keys. */
export class QueryBlocks implements BlockAnalyzer {
  readonly #analyzeWrite: WriteAnalyzer;

  constructor(analyzeWrite: WriteAnalyzer) {
    this.#analyzeWrite = analyzeWrite;
  }

  nested(
    context: StatementContext,
    query: SqlNode | undefined,
    parent: Scope | null,
    ctes: CteScope | null,
  ): Block {
    assert(query !== undefined && 'SelectStmt' in query, 'a subquery that is no SELECT');
    return this.select(context, query.SelectStmt, parent, ctes);
  }

  select(
    context: StatementContext,
    select: SelectNode,
    parent: Scope | null,
    outer: CteScope | null,
  ): Block {
    const first = context.blocks.length;
    const block = this.#select(context, select, parent, outer);
    context.blocks.push({ select, block, parent, ctes: outer, first });
    return block;
  }

  #select(
    context: StatementContext,
    select: SelectNode,
    parent: Scope | null,
    outer: CteScope | null,
  ): Block {
    return this.inWith(context, select, parent, outer, (ctes) => {
      if (select.op !== undefined && select.op !== 'SETOP_NONE') {
        return this.#setOperation(context, select, parent, ctes);
      }
      if (select.valuesLists !== undefined) return this.#values(context, select, parent, ctes);
      return this.#plain(context, select, parent, ctes);
    });
  }

  /** Also analyses what WITH defines and nothing reads: PostgreSQL resolves its names too. */
  inWith<Result>(
    context: StatementContext,
    statement: Pick<SelectNode, 'withClause'>,
    parent: Scope | null,
    outer: CteScope | null,
    analyze: (ctes: CteScope | null) => Result,
  ): Result {
    const { scope, defined } = withCtes(statement.withClause, outer, parent);
    for (const cte of defined) {
      if (!('SelectStmt' in cte.query)) this.#analyzeWrite(context, cte.query, cte.visible);
    }
    const result = analyze(scope);
    for (const cte of defined) if (!cte.referenced) this.cte(context, cte);
    return result;
  }

  /**
   * Every reference is analysed for itself, as if its query stood there, because tables have other
   * keys each time. Without such tables once is enough: references can double from name to name.
   */
  cte(context: StatementContext, cte: Cte): Block | null {
    cte.referenced = true;
    if (!('SelectStmt' in cte.query)) return null;
    if (cte.block !== null) return cte.block;
    if (cte.underAnalysis) {
      context.refuseMulti('WITH RECURSIVE over several shards is not supported', oneKey);
      cte.recursive = true;
      return null;
    }
    cte.underAnalysis = true;
    const block = this.select(context, cte.query.SelectStmt, cte.parent, cte.visible);
    cte.underAnalysis = false;
    const columns = renamed(block.columns, cte.columnNames);
    // A condition on the result of a recursion is not one on its parts.
    if (cte.recursive) return { ...block, columns: columns.map(withoutKeys), shape: 'dependent' };
    if (block.end === block.start) cte.block = { ...block, columns };
    return { ...block, columns };
  }

  subLinks(
    context: StatementContext,
    expressions: unknown,
    scope: Scope,
    ctes: CteScope | null,
    filtered: Filtered | null = null,
  ): void {
    const conjuncts = new Set(filtered === null ? [] : conjunctsOf(expressions as SqlNode));
    walk(expressions, (node) => {
      if (!('SubLink' in node)) return true;
      const { subselect, testexpr } = node.SubLink;
      this.subLinks(context, testexpr, scope, ctes);
      const block = this.nested(context, subselect, scope, ctes);
      noteUse(context, node.SubLink);
      if (filtered !== null && conjuncts.has(node)) {
        tieMembership(context, node.SubLink, scope, block, filtered);
      }
      return false;
    });
  }

  #plain(
    context: StatementContext,
    select: SelectNode,
    parent: Scope | null,
    ctes: CteScope | null,
  ): Block {
    const start = context.ties.count;
    const from = analyzeFrom({ context, ctes, parent, blocks: this }, select.fromClause ?? []);
    const scope: Scope = { from, parent };
    const filtered = { start, end: context.ties.count };
    applyConjuncts(context, scope, select.whereClause, filtered);
    this.subLinks(context, select.whereClause, scope, ctes, filtered);
    const { whereClause, fromClause, withClause, ...others } = select;
    this.subLinks(context, others, scope, ctes);
    noteOuterAggregates(context, [others, whereClause, fromClause], scope);

    const outputs = outputsOf(select, scope);
    const traits = blockTraits(select, scope, outputs ?? []);
    const rowsShape = from
      .map((item) => item.shape)
      .reduce((left, right) => joinShape('JOIN_INNER', left, right), 'replicated');
    const isInOrder = from.length === 1 && from.every((item) => item.isSorted);
    const needsOrder = isInOrder && dependsOnOrderOfRows(select);
    const fromShape = needsOrder && rowsShape === 'partitioned' ? 'dependent' : rowsShape;
    const end = context.ties.count;
    const rowwise =
      !traits.limited &&
      ![traits.aggregation, traits.distinct, traits.windows].includes('over-shards');
    const shape =
      end === start
        ? 'replicated'
        : fromShape === 'partitioned' && rowwise
          ? fromShape
          : 'dependent';
    if (shape === 'replicated') {
      const chooses = traits.limited || traits.distinctOn || traits.windows !== 'none';
      noteChoice(context, chooses || callsIn(others).aggregates.some(dependsOnOrder), parent);
    }
    return {
      columns: (outputs ?? []).map((output) => exposed(output.column, traits.transparentTo)),
      open: outputs === null,
      shape,
      isSorted: select.sortClause !== undefined || (isInOrder && keepsOrderOfRows(select)),
      start,
      end,
      body: { kind: 'select', select, scope, fromShape, outputs, traits },
    };
  }

  #values(
    context: StatementContext,
    select: SelectNode,
    parent: Scope | null,
    ctes: CteScope | null,
  ): Block {
    const start = context.ties.count;
    this.subLinks(context, select, { from: [], parent }, ctes);
    const first = select.valuesLists?.[0];
    const width = first !== undefined && 'List' in first ? (first.List.items ?? []).length : 0;
    const columns = Array.from({ length: width }, (_, index) => plainColumn(`column${index + 1}`));
    const end = context.ties.count;
    const shape = end === start ? 'replicated' : 'dependent';
    return {
      columns,
      open: false,
      shape,
      isSorted: false,
      start,
      end,
      body: { kind: 'values' },
    };
  }

  #setOperation(
    context: StatementContext,
    select: SelectNode,
    parent: Scope | null,
    ctes: CteScope | null,
  ): Block {
    const { larg, rarg } = select;
    assert(larg !== undefined && rarg !== undefined, 'a set operation without two arms');
    const start = context.ties.count;
    context.uses.set(larg, 'arm').set(rarg, 'arm');
    const left = this.select(context, larg, parent, ctes);
    const right = this.select(context, rarg, parent, ctes);
    this.subLinks(
      context,
      [select.sortClause, select.limitCount, select.limitOffset],
      { from: [], parent },
      ctes,
    );
    const limited = select.limitCount !== undefined || select.limitOffset !== undefined;
    const shapes = [left.shape, right.shape];
    const every = (shape: Block['shape']) => shapes.every((other) => other === shape);
    const unionAll = select.op === 'SETOP_UNION' && select.all === true && !limited;
    const shape = every('replicated')
      ? 'replicated'
      : unionAll && every('partitioned')
        ? 'partitioned'
        : 'dependent';
    if (shape === 'replicated') noteChoice(context, limited, parent);
    return {
      columns: left.columns.map((column, index) =>
        armColumn(column, right.columns[index], limited),
      ),
      open: left.open || right.open,
      shape,
      isSorted: select.sortClause !== undefined,
      start,
      end: context.ties.count,
      body: { kind: 'set-operation', select, arms: [left, right] },
    };
  }
}

const oneKey = 'Restrict every distributed table in it to one key.';

/**
 * A condition on the column holds for both arms alike; no arm has all the rows. Arms of different
 * types meet in a third, in which values that are compared with the column are read.
 */
function armColumn(left: Column, right: Column | undefined, limited: boolean): Column {
  if (right === undefined || !isSameType(left, right)) return plainColumn(left.name);
  const keys = limited ? [] : [...left.keys, ...right.keys];
  return {
    ...plainColumn(left.name),
    base: left.base?.collation === right.base?.collation ? left.base : null,
    keys: keys.map(({ instance }) => ({ instance, exact: false })),
  };
}

function exposed(column: Column, transparentTo: (instance: number) => boolean): Column {
  const keys = column.keys.filter(({ instance }) => transparentTo(instance));
  return { ...column, keys, leaf: null };
}

function withoutKeys(column: Column): Column {
  return { ...column, keys: [] };
}

function noteUse(context: StatementContext, { subLinkType, subselect }: SubLinkNode): void {
  if (subselect === undefined || !('SelectStmt' in subselect)) return;
  if (subLinkType === 'EXPR_SUBLINK') context.uses.set(subselect.SelectStmt, 'value');
  if (subLinkType === 'EXISTS_SUBLINK') context.uses.set(subselect.SelectStmt, 'existence');
  if (subLinkType === 'ANY_SUBLINK' || subLinkType === 'ALL_SUBLINK') {
    context.uses.set(subselect.SelectStmt, 'members');
  }
}

/** `key IN (SELECT key ...)` as a condition that must be true: equal keys on both sides. */
function tieMembership(
  context: StatementContext,
  link: SubLinkNode,
  scope: Scope,
  block: Block,
  filtered: Filtered,
): void {
  const equality = link.operName === undefined || builtinName(link.operName) === '=';
  if (link.subLinkType !== 'ANY_SUBLINK' || !equality || link.testexpr === undefined) return;
  const tested = 'RowExpr' in link.testexpr ? (link.testexpr.RowExpr.args ?? []) : [link.testexpr];
  const inside = { start: block.start, end: block.end };
  tested.forEach((node, index) => {
    const left = columnOperand(scope, node);
    const right = block.columns[index];
    if (left === null || right === undefined) return;
    tieColumns(context, left.column, right, inside);
    const both = { start: filtered.start, end: block.end };
    const own = left.column.keys.filter(
      ({ instance }) => instance >= filtered.start && instance < filtered.end,
    );
    tieColumns(context, { ...left.column, keys: own }, right, both);
  });
}

/** Shards must agree on reference tables: nothing may depend on the order in which rows lie. */
function noteChoice(context: StatementContext, chooses: boolean, parent: Scope | null): void {
  if (!chooses) return;
  const hint = 'Compute it first and pass the result as a parameter.';
  const where = parent === null ? 'a query' : 'a subquery';
  const what = 'LIMIT, DISTINCT ON, windows and lists';
  context.refuseMulti(`${what} in ${where} over reference tables only, on several shards`, hint);
}

/** An aggregate whose arguments are all of an outer query is computed there. */
function noteOuterAggregates(context: StatementContext, expressions: unknown, scope: Scope): void {
  if (scope.parent === null) return;
  for (const call of callsIn(expressions).aggregates) {
    const own = { from: scope.from, parent: null };
    let outer = false;
    let inner = call.agg_star === true;
    walk(call.args, (node) => {
      if (!('ColumnRef' in node)) return true;
      if (resolveColumn(own, node) === null && resolveColumn(scope, node) !== null) outer = true;
      else inner = true;
      return true;
    });
    if (outer && !inner) {
      context.refuseMulti('an aggregate of an outer query inside a subquery', oneKey);
    }
  }
}
