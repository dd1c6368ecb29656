import type { FunctionCallNode, SelectNode, SqlNode } from '../../sql/ast.ts';
import { isAggregateCall } from '../aggregate-calls.ts';
import { isWholeRow } from '../whole-row.ts';
import { ExpressionFacts, isClosed, isValue } from './expression-facts.ts';
import { type Below, isListed, listedNodes } from './final-select.ts';
import type { KnownBody } from './known-body.ts';
import { mapNodes } from './map-nodes.ts';
import { normalForm } from './normal-form.ts';
import { collatedLike, ShardColumns } from './shard-columns.ts';
import { TreeTest } from './tree-test.ts';

export type Replace = <Tree>(tree: Tree) => Tree;

/**
 * Shards can compute it: it stands below whatever combines rows of several shards. Groups and windows
 * are computed below or above as a whole.
 */
export function isComputedBelow(facts: ExpressionFacts, node: SqlNode, below: Below): boolean {
  if (facts.hasWindow(node) && !below.windows) return false;
  return (below.groups || !facts.isGrouped(node)) && facts.isPure(node);
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
  readonly #facts = new ExpressionFacts();
  /** Of columns that are sent anyway. */
  readonly #ofBareColumns: TreeTest;
  #isPossible = true;

  constructor(body: KnownBody, below: Below, bare: ReadonlySet<string>) {
    this.columns = new ShardColumns(body.scope);
    this.#body = body;
    this.#below = below;
    this.#ofBareColumns = new TreeTest((node) => {
      if ('SubLink' in node) return false;
      return 'ColumnRef' in node ? bare.has(normalForm(body.scope, node)) : null;
    });
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
    if (this.#facts.isFixed(node) && !this.#hasCallBelow(node)) return node;
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

  #unit(node: SqlNode): SqlNode {
    return collatedLike(node, ShardColumns.reference(this.columns.add(node)));
  }

  #hasCallBelow(node: SqlNode): boolean {
    const { groups, windows } = this.#below;
    return (groups && this.#facts.isGrouped(node)) || (windows && this.#facts.hasWindow(node));
  }

  #isUnit(node: SqlNode, keepsForm: boolean): boolean {
    if (!isValue(node) || isWholeRow(this.#body.scope, node)) return false;
    if ('ColumnRef' in node) return true;
    if (keepsForm && (this.#isGroupedAbove || !('SubLink' in node))) return false;
    if (!isComputedBelow(this.#facts, node, this.#below)) return false;
    // Groups and windows are computed as a whole, whatever COLLATE they say.
    if (keepsForm || this.#below.groups || this.#below.windows) return true;
    return !this.#facts.hasCollation(node) && !this.#ofBareColumns.passes(node);
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
