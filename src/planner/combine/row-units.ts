import type { FunctionCallNode, SelectNode, SqlNode } from '../../sql/ast.ts';
import { walk } from '../../sql/walk.ts';
import { callsIn, isAggregateCall } from '../aggregate-calls.ts';
import { holds, isClosed, isFixed, isPure, isValue, isWholeRow } from './expression-facts.ts';
import { type Below, isListed, listedNodes } from './final-select.ts';
import type { KnownBody } from './known-body.ts';
import { mapNodes } from './map-nodes.ts';
import { normalForm } from './normal-form.ts';
import { ShardColumns } from './shard-columns.ts';

export type Replace = <Tree>(tree: Tree) => Tree;

/**
 * Shards can compute it: it stands below whatever combines rows of several shards. Groups and windows
 * are computed below or above as a whole.
 */
export function isComputedBelow(expression: SqlNode, below: Below): boolean {
  const { aggregates, windows } = callsIn(expression);
  if (windows.length > 0 && !below.windows) return false;
  const isGroup = aggregates.length > 0 || holds(expression, (node) => 'GroupingFunc' in node);
  return (below.groups || !isGroup) && isPure(expression);
}

/** Cuts expressions of the upper clauses into units: the largest parts that shards can compute. */
export class RowUnits {
  readonly columns: ShardColumns;
  readonly #body: KnownBody;
  readonly #below: Below;
  /**
   * PostgreSQL matches expressions of GROUP BY, DISTINCT and ORDER BY with those of the select list by
   * their form, once literals have their values: then only columns may be replaced.
   */
  readonly #keepsForm: boolean;
  readonly #isGroupedAbove: boolean;
  /** Normal forms of columns that are sent anyway. */
  readonly #bare: ReadonlySet<string>;
  #isPossible = true;

  constructor(body: KnownBody, below: Below, bare: ReadonlySet<string>) {
    this.columns = new ShardColumns(body.scope);
    this.#body = body;
    this.#below = below;
    this.#bare = bare;
    this.#isGroupedAbove = body.traits.aggregation !== 'none' && !below.groups;
    const isDistinct = body.traits.distinct !== 'none';
    this.#keepsForm = this.#isGroupedAbove || (isDistinct && !below.groups && !below.windows);
  }

  /**
   * Writes the query above the units; null when they do not suffice. Written twice: once to see which
   * columns stand for themselves, then so that no expression over these alone is sent beside them.
   */
  static of(
    body: KnownBody,
    below: Below,
    write: (replace: Replace) => SelectNode,
  ): { readonly columns: ShardColumns; readonly final: SelectNode } | null {
    const first = new RowUnits(body, below, new Set());
    write((tree) => first.#above(tree));
    const bare = first.columns.expressions.filter((expression) => 'ColumnRef' in expression);
    const forms = new Set(bare.map((expression) => normalForm(body.scope, expression)));
    const units = new RowUnits(body, below, forms);
    const final = write((tree) => units.#above(tree));
    return units.#isPossible && !units.#losesMatch() ? { columns: units.columns, final } : null;
  }

  #above<Tree>(tree: Tree): Tree {
    return mapNodes(tree, (node) => this.#replacement(node, this.#keepsForm));
  }

  #replacement(node: SqlNode, keepsForm: boolean): SqlNode | null {
    if (isFixed(node) && !this.#isCallBelow(node)) return node;
    if ('SubLink' in node && isClosed(node.SubLink)) {
      const { testexpr, ...query } = node.SubLink;
      const tested = mapNodes(testexpr, (inner) => this.#replacement(inner, keepsForm));
      return { SubLink: tested === undefined ? query : { ...query, testexpr: tested } };
    }
    if (this.#isUnit(node, keepsForm)) return this.#unit(node);
    if ('FuncCall' in node && this.#isGroupedAbove && isAggregateCall(node.FuncCall)) {
      return { FuncCall: this.#aggregate(node.FuncCall) };
    }
    const isLost = 'ColumnRef' in node || 'SubLink' in node || 'GroupingFunc' in node;
    if (isLost && !('GroupingFunc' in node && this.#isGroupedAbove)) this.#isPossible = false;
    return null;
  }

  /** COLLATE is said again: it wins over other collations, that of a column does not. */
  #unit(node: SqlNode): SqlNode {
    const column = ShardColumns.reference(this.columns.add(node));
    if (!('CollateClause' in node)) return column;
    return { CollateClause: { ...node.CollateClause, arg: column } };
  }

  #isCallBelow(node: SqlNode): boolean {
    const { aggregates, windows } = callsIn(node);
    return (
      (this.#below.groups && aggregates.length > 0) || (this.#below.windows && windows.length > 0)
    );
  }

  #isUnit(node: SqlNode, keepsForm: boolean): boolean {
    const { scope } = this.#body;
    if (!isValue(node) || isWholeRow(scope, node)) return false;
    if ('ColumnRef' in node) return true;
    if (!isComputedBelow(node, this.#below)) return false;
    if (keepsForm) return 'SubLink' in node && !this.#isGroupedAbove;
    // Groups and windows are computed as a whole, whatever COLLATE they say.
    if (this.#below.groups || this.#below.windows) return true;
    return !holds(node, (inner) => 'CollateClause' in inner) && !this.#isOfBareColumns(node);
  }

  #isOfBareColumns(node: SqlNode): boolean {
    const { scope } = this.#body;
    let answer = true;
    walk(node, (inner) => {
      if ('SubLink' in inner) answer = false;
      if ('ColumnRef' in inner && !this.#bare.has(normalForm(scope, inner))) answer = false;
      return answer;
    });
    return answer;
  }

  /**
   * Nothing outside matches what is inside an aggregate, but ORDER BY must match the arguments of a
   * DISTINCT one. Direct arguments of an ordered-set aggregate are outside.
   */
  #aggregate(call: FunctionCallNode): FunctionCallNode {
    const isMatched = call.agg_distinct === true && call.agg_order !== undefined;
    const inner = <Tree>(tree: Tree, keepsForm: boolean): Tree =>
      mapNodes(tree, (node) => this.#replacement(node, keepsForm));
    const { args, agg_order, agg_filter, ...others } = call;
    return {
      ...others,
      ...(args === undefined
        ? {}
        : { args: inner(args, isMatched || call.agg_within_group === true) }),
      ...(agg_order === undefined ? {} : { agg_order: inner(agg_order, isMatched) }),
      ...(agg_filter === undefined ? {} : { agg_filter: inner(agg_filter, false) }),
    };
  }

  /** DISTINCT over units that are more than columns: ORDER BY must name results, or be their units. */
  #losesMatch(): boolean {
    const { traits, select, outputs, scope } = this.#body;
    if (traits.distinct === 'none' || this.#keepsForm) return false;
    const forms = new Set(outputs.map(({ expression }) => normalForm(scope, expression)));
    return !listedNodes(select).every(
      (node) => isListed(this.#body, node) || forms.has(normalForm(scope, node)),
    );
  }
}
