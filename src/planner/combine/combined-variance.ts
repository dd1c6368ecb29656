import type { SqlNode } from '../../sql/ast.ts';
import { call, cast, integer, operator } from '../tree-builders.ts';

/** Sums over all shards: how many values, of them, and of their squares; all numeric. */
export type Moments = {
  readonly count: SqlNode;
  readonly sum: SqlNode;
  readonly squares: SqlNode;
};

const variances: {
  readonly [name: string]: { readonly isSample: boolean; readonly isRoot: boolean };
} = {
  stddev: { isSample: true, isRoot: true },
  stddev_pop: { isSample: false, isRoot: true },
  stddev_samp: { isSample: true, isRoot: true },
  var_pop: { isSample: false, isRoot: false },
  var_samp: { isSample: true, isRoot: false },
  variance: { isSample: true, isRoot: false },
};

export function isVariance(name: string): boolean {
  return Object.hasOwn(variances, name);
}

/** More digits than the server rounds a root to. */
const rootDigits = 60;

/**
 * The variance of numerics or integers, or its root, digit for digit as PostgreSQL computes it
 * (numeric_stddev_internal in numeric.c): (n * squares - sum²) / (n * (n - 1)), its root rounded to
 * as many digits as the quotient has.
 */
export function combinedVariance(name: string, { count, sum, squares }: Moments): SqlNode | null {
  const kind = isVariance(name) ? variances[name] : undefined;
  if (kind === undefined) return null;
  const { isSample, isRoot } = kind;
  const spread = operator('-', operator('*', count, squares), operator('*', sum, sum));
  const others = isSample ? operator('-', count, integer(1)) : count;
  const variance = operator('/', spread, operator('*', count, others));
  const root = call('sqrt', [call('round', [variance, integer(rootDigits)], undefined)], undefined);
  const digits = call('scale', [variance], undefined);
  const value = isRoot ? call('round', [root, digits], undefined) : variance;
  return whenTrue(
    operator('>', count, integer(isSample ? 1 : 0)),
    // NaN is greater than all numbers and has no scale.
    whenTrue(
      operator('=', spread, notANumber),
      notANumber,
      whenTrue(operator('<=', spread, integer(0)), zero, value),
    ),
  );
}

const notANumber = cast({ A_Const: { sval: { sval: 'NaN' } } }, 'numeric');
const zero = cast(integer(0), 'numeric');

/** NULL otherwise, where nothing else is given. */
function whenTrue(condition: SqlNode, result: SqlNode, defresult?: SqlNode): SqlNode {
  const args: SqlNode[] = [{ CaseWhen: { expr: condition, result } }];
  return { CaseExpr: defresult === undefined ? { args } : { args, defresult } };
}
