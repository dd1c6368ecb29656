import type { SqlNode } from '../../sql/ast.ts';
import { isAggregateCall, standardAggregate } from '../aggregate-calls.ts';
import type { StatementContext } from '../statement-context.ts';
import { call, cast, integer, plainSelect } from '../tree-builders.ts';
import { isWholeRow } from '../whole-row.ts';
import { combinedAggregate } from './combined-aggregate.ts';
import { countsKeysOnce } from './distinct-keys.ts';
import { ExpressionFacts, isClosed, isFixed, isPure, isValue } from './expression-facts.ts';
import { finalSelect, isListed, listedNodes } from './final-select.ts';
import { groupingExpressions, hasGroupingSets } from './group-clause.ts';
import { GroupKeys } from './group-keys.ts';
import type { KnownBody } from './known-body.ts';
import { mapNodes } from './map-nodes.ts';
import { normalForm } from './normal-form.ts';
import type { QueryParts } from './query-parts.ts';
import { collatedLike, ShardColumns } from './shard-columns.ts';
import { TreeTest } from './tree-test.ts';

/**
 * Shards aggregate their own rows, by all grouping expressions at once; their values are aggregated
 * again above, where everything else is done: GROUPING SETS, HAVING, windows, DISTINCT, ORDER BY,
 * LIMIT. null when an aggregate or expression needs the rows themselves.
 */
export function splitAggregates(
  context: StatementContext,
  body: KnownBody,
  resultName: string,
): QueryParts | null {
  const keys = groupingExpressions(body);
  return keys === null ? null : new AggregateSplit(context, body, resultName).split(keys);
}

class AggregateSplit {
  readonly #context: StatementContext;
  readonly #body: KnownBody;
  readonly #resultName: string;
  readonly #columns: ShardColumns;
  readonly #keys: GroupKeys;
  readonly #countsKeysOnce: boolean;
  /** What the shards group by, by normal form. */
  readonly #groups = new Map<string, SqlNode>();
  readonly #facts = new ExpressionFacts();
  /** Made of grouping expressions and values that no row decides. */
  readonly #ofKeys: TreeTest;
  #takesAny = false;
  #isPossible = true;

  constructor(context: StatementContext, body: KnownBody, resultName: string) {
    this.#context = context;
    this.#body = body;
    this.#resultName = resultName;
    this.#countsKeysOnce = countsKeysOnce(body);
    this.#columns = new ShardColumns(body.scope);
    const keys = new GroupKeys(body.scope);
    this.#keys = keys;
    this.#ofKeys = new TreeTest((node) => {
      if (keys.columnOf(node) !== null) return true;
      if ('SubLink' in node) return isFixed(node);
      return 'ColumnRef' in node ? false : null;
    });
  }

  split(keys: readonly SqlNode[]): QueryParts | null {
    const { select, scope } = this.#body;
    for (const key of keys) {
      if (!isPure(key) || 'RowExpr' in key || isWholeRow(scope, key)) return null;
      if (!isFixed(key)) this.#keys.add(key, this.#addGroup(key));
    }
    if (hasGroupingSets(this.#body) && !this.#keys.areDistinct) return null;
    const final = finalSelect(
      this.#body,
      this.#resultName,
      { groups: false, windows: false },
      (tree) => this.#above(tree),
    );
    if (!this.#isPossible) return null;
    // Without rows there is one group, but no row of the shards' groups from which to take a value.
    if (keys.length === 0 && this.#groups.size > 0 && this.#takesAny) return null;
    // Something must be aggregated even if nothing is asked for: no rows then make no group, or one.
    if (this.#columns.expressions.length === 0) this.#columns.add(countOfRows);
    const groups = [...this.#groups.values()];
    if (groups.length === 0 && keys.length > 0) groups.push(cast(integer(1), 'int4'));
    const { withClause, fromClause, whereClause } = select;
    const partial = {
      ...plainSelect,
      ...(withClause === undefined ? {} : { withClause }),
      targetList: this.#columns.targets,
      ...(fromClause === undefined ? {} : { fromClause }),
      ...(whereClause === undefined ? {} : { whereClause }),
      ...(groups.length === 0 ? {} : { groupClause: groups }),
    };
    return { partial, columns: this.#columns.names, final };
  }

  #above<Tree>(tree: Tree): Tree {
    return mapNodes(tree, (node) => this.#replacement(node));
  }

  #addGroup(expression: SqlNode): SqlNode {
    this.#groups.set(normalForm(this.#body.scope, expression), expression);
    return collatedLike(expression, ShardColumns.reference(this.#columns.add(expression)));
  }

  #replacement(node: SqlNode): SqlNode | null {
    const key = this.#keys.columnOf(node);
    if (key !== null) return key;
    // In sets its parts are NULL where it is not, so it must not be made of them.
    if (hasGroupingSets(this.#body) && this.#keys.mayBeKey(node)) return this.#impossible(node);
    if ('FuncCall' in node && isAggregateCall(node.FuncCall)) {
      const parts = {
        context: this.#context,
        scope: this.#body.scope,
        resultName: this.#resultName,
        columns: this.#columns,
        countsKeysOnce: this.#countsKeysOnce,
        addGroup: (expression: SqlNode) => this.#addGroup(expression),
      };
      return combinedAggregate(parts, node.FuncCall) ?? this.#impossible(node);
    }
    if (standardAggregate(node) !== null) return this.#impossible(node);
    if ('SubLink' in node && isClosed(node.SubLink)) {
      const { testexpr, ...query } = node.SubLink;
      return {
        SubLink: testexpr === undefined ? query : { ...query, testexpr: this.#above(testexpr) },
      };
    }
    if (this.#isOfGroup(node)) return this.#oneOfGroup(node);
    return 'ColumnRef' in node || 'SubLink' in node || 'GroupingFunc' in node
      ? this.#argumentsOfGrouping(node)
      : null;
  }

  /** GROUPING() names keys; no other expression that gets here can be made of the shards' columns. */
  #argumentsOfGrouping(node: SqlNode): SqlNode | null {
    const args = 'GroupingFunc' in node ? (node.GroupingFunc.args ?? []) : [];
    const areKeys = args.every((argument) => this.#keys.columnOf(argument) !== null);
    return 'GroupingFunc' in node && areKeys ? null : this.#impossible(node);
  }

  /**
   * An expression with one value for each group that is not made of grouping expressions as they are
   * written: other columns beside a primary key, or equal literals, which only a server can compare.
   */
  #isOfGroup(node: SqlNode): boolean {
    if (!isValue(node) || isWholeRow(this.#body.scope, node)) return false;
    if (this.#facts.isGrouped(node) || this.#facts.hasWindow(node)) return false;
    return this.#facts.isPure(node) && !this.#ofKeys.passes(node);
  }

  /** The shards see to it that a group has but one. In some sets of several it has none. */
  #oneOfGroup(node: SqlNode): SqlNode {
    const { select } = this.#body;
    // DISTINCT and ORDER BY go by the form of expressions, which is lost.
    const isMatched =
      select.distinctClause !== undefined &&
      !listedNodes(select).every((each) => isListed(this.#body, each));
    if (hasGroupingSets(this.#body) || isMatched) return this.#impossible(node);
    this.#takesAny = true;
    return call('any_value', [ShardColumns.reference(this.#columns.add(node))], undefined);
  }

  #impossible(node: SqlNode): SqlNode {
    this.#isPossible = false;
    return node;
  }
}

const countOfRows: SqlNode = {
  FuncCall: {
    funcname: [{ String: { sval: 'count' } }],
    agg_star: true,
    funcformat: 'COERCE_EXPLICIT_CALL',
  },
};
