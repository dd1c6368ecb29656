import { assert } from '../../base/assert.ts';
import type { FunctionCallNode, SqlNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import { callsIn, isAggregateCall } from '../aggregate-calls.ts';
import { arithmeticType } from '../combine/arithmetic-type.ts';
import { columnTypeOf } from '../expression-collation.ts';
import type { AggregateOutput, SortKey } from '../plan.ts';
import { refusal } from '../refuse.ts';
import { expressionText } from '../rewrite-query.ts';
import { sameExpression } from '../same-expression.ts';
import type { Scope } from '../scope.ts';
import type { StatementContext } from '../statement-context.ts';
import { call, cast, integer, nullValue } from '../tree-builders.ts';
import { isBuiltinAggregate } from './builtin-aggregate.ts';
import { orderKey } from './sort-keys.ts';

/** Indexes of hidden columns, from the first hidden one, until the visible ones are counted. */
type Draft =
  | { readonly kind: 'group'; readonly visible: number }
  | { readonly kind: 'count' | 'sum' | 'bool_and' | 'bool_or'; readonly hidden: number }
  | { readonly kind: 'avg'; readonly sum: number; readonly count: number }
  | {
      readonly kind: 'min' | 'max';
      readonly visible: number;
      readonly hidden: number;
      readonly key: Omit<SortKey, 'column'>;
    };

/** pg_type.typname of what the proxy can add up, but for what turns out at run time. */
const addedHere = ['int2', 'int4', 'int8', 'numeric', 'float4', 'float8'];

const notNeeded = nullValue;

/**
 * The columns that the shards are asked for so that aggregates can be made of them. Visible ones
 * stand where the client's columns stand, so that each has the format that the client asked for;
 * NULL stands where the hidden ones say everything.
 */
export class PartialColumns {
  readonly visible: SqlNode[] = [];
  readonly hidden: SqlNode[] = [];
  readonly #drafts: Draft[] = [];
  /** Of each output: what its values are, for their order. */
  readonly #arguments: SqlNode[] = [];
  readonly #context: StatementContext;
  readonly #scope: Scope;

  constructor(context: StatementContext, scope: Scope) {
    this.#context = context;
    this.#scope = scope;
  }

  /** The position among the hidden columns; the same expression is asked for once. */
  addHidden(expression: SqlNode): number {
    const known = this.hidden.findIndex((other) => sameExpression(other, expression));
    return known === -1 ? this.hidden.push(expression) - 1 : known;
  }

  /** One column of the client's; throws when it cannot be made of partial values. */
  addOutput(expression: SqlNode): void {
    if ('FuncCall' in expression && isAggregateCall(expression.FuncCall)) {
      this.#aggregate(expression.FuncCall, expression);
    } else if (callsIn(expression).aggregates.length > 0) {
      throw refusal(
        `an expression over aggregates of several shards: ${expressionText(expression)}`,
        'Select the aggregates and compute with them in the application.',
      );
    } else {
      // PostgreSQL makes sure that it is the same for all rows of the group.
      this.#add({ kind: 'group', visible: this.visible.length }, expression, expression);
    }
  }

  /** What stands for the values of an aggregated output when their collation is asked for. */
  sortedArgument(output: number): SqlNode {
    const argument = this.#arguments[output];
    assert(argument !== undefined, 'an output that was not added');
    return argument;
  }

  outputs(): readonly AggregateOutput[] {
    const first = this.visible.length;
    return this.#drafts.map((draft): AggregateOutput => {
      switch (draft.kind) {
        case 'group':
          return draft;
        case 'avg':
          return { kind: 'avg', hiddenSum: first + draft.sum, hiddenCount: first + draft.count };
        case 'min':
        case 'max': {
          const order = { ...draft.key, column: first + draft.hidden };
          return { kind: draft.kind, visible: draft.visible, order };
        }
        default:
          return { kind: draft.kind, hidden: first + draft.hidden };
      }
    });
  }

  #add(draft: Draft, argument: SqlNode, visible: SqlNode = notNeeded): void {
    this.#drafts.push(draft);
    this.#arguments.push(argument);
    this.visible.push(visible);
  }

  #aggregate(node: FunctionCallNode, expression: SqlNode): void {
    const name = builtinName(node.funcname);
    if (!isBuiltinAggregate(this.#context, this.#scope, node)) {
      throw unmergeable(expression, 'an aggregate that users have made');
    }
    if (node.agg_distinct === true || (node.agg_order ?? []).length > 0) {
      throw unmergeable(expression, 'DISTINCT or ORDER BY inside an aggregate');
    }
    if (name === 'count') {
      this.#add({ kind: 'count', hidden: this.addHidden(expression) }, integer(0));
      return;
    }
    const [argument, ...more] = node.args ?? [];
    if (argument === undefined || more.length > 0 || node.agg_within_group === true) {
      throw unmergeable(expression, 'this aggregate');
    }
    const type = arithmeticType(this.#context, this.#scope, argument);
    if ((name === 'sum' || name === 'avg') && type !== null && !addedHere.includes(type)) {
      throw unmergeable(expression, `${name} of ${type}`);
    }
    switch (name) {
      case 'sum':
        this.#add({ kind: 'sum', hidden: this.addHidden(expression) }, integer(0));
        return;
      case 'avg':
        this.#average(argument, node.agg_filter);
        return;
      case 'min':
      case 'max':
        this.#extreme(name, argument, expression);
        return;
      case 'every':
      case 'bool_and':
        this.#add({ kind: 'bool_and', hidden: this.addHidden(expression) }, integer(0));
        return;
      case 'bool_or':
        this.#add({ kind: 'bool_or', hidden: this.addHidden(expression) }, integer(0));
        return;
      default:
        throw unmergeable(expression, `aggregate ${name ?? ''}`);
    }
  }

  /** avg(real) adds up as double precision, as PostgreSQL does. */
  #average(argument: SqlNode, filter: SqlNode | undefined): void {
    const isReal = arithmeticType(this.#context, this.#scope, argument) === 'float4';
    const added = isReal ? cast(argument, 'float8') : argument;
    const sum = this.addHidden(call('sum', [added], filter));
    const count = this.addHidden(call('count', [argument], filter));
    this.#add({ kind: 'avg', sum, count }, integer(0));
  }

  #extreme(name: 'min' | 'max', argument: SqlNode, expression: SqlNode): void {
    const direction = { descending: name === 'max', nullsFirst: false };
    const { key } = orderKey(this.#context, this.#scope, argument, direction);
    const isPadded = columnTypeOf(this.#scope, argument) === 'bpchar';
    const hidden = this.addHidden(isPadded ? cast(expression, 'text') : expression);
    const label = expressionText(expression);
    const visible = this.visible.length;
    this.#add({ kind: name, visible, hidden, key: { ...key, label } }, argument, expression);
  }
}

function unmergeable(expression: SqlNode, what: string) {
  return refusal(
    `${what} over several shards is not supported: ${expressionText(expression)}`,
    'Restrict the statement to one key, or group by the key.',
  );
}
