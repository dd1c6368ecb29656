import { assert } from '../../base/assert.ts';
import type { SelectNode, SqlNode } from '../../sql/ast.ts';
import { parseStatement } from '../../sql/parser.ts';
import { resultRead } from '../intermediate/result-read.ts';
import { resultsIn } from '../intermediate-results.ts';
import type { ResultValue } from '../plan.ts';
import { collect } from '../plan-multi-shard.ts';
import { refusal } from '../refuse.ts';
import { canonical } from '../same-expression.ts';
import { plainColumn } from '../scope.ts';
import type { StatementSource } from '../statement-context.ts';
import { plainSelect, target } from '../tree-builders.ts';

/** PostgreSQL's limit for the columns of one result is 1664. */
const columnsMax = 1600;

/**
 * Where the values of these expressions are found when one server has computed them. An expression
 * that occurs several times is computed once for each, in order: a default of many rows.
 */
export function computedValues(
  source: StatementSource,
  expressions: readonly SqlNode[],
): ReadonlyMap<SqlNode, ResultValue> {
  const places = new Map<SqlNode, ResultValue>();
  const groups = new Map<string, SqlNode[]>();
  for (const expression of expressions) {
    const form = canonical(expression);
    const group = groups.get(form);
    if (group === undefined) groups.set(form, [expression]);
    else group.push(expression);
  }
  const single: SqlNode[] = [];
  for (const group of groups.values()) {
    const [first] = group;
    assert(first !== undefined, 'a group has a member');
    if (group.length === 1) {
      single.push(first);
      continue;
    }
    const select = { ...rowsOf(group.length), targetList: [target(first, 'value_1')] };
    const result = collected(source, select, ['value_1']);
    for (const [row, each] of group.entries()) places.set(each, { result, column: 0, row });
  }
  for (let start = 0; start < single.length; start += columnsMax) {
    const part = single.slice(start, start + columnsMax);
    const names = part.map((_, index) => `value_${index + 1}`);
    const targetList = part.map((each, index) => target(each, names[index]));
    const result = collected(source, { ...plainSelect, targetList }, names);
    for (const [column, each] of part.entries()) places.set(each, { result, column, row: 0 });
  }
  return places;
}

function collected(source: StatementSource, select: SelectNode, names: readonly string[]): number {
  const name = collect(source, { kind: 'query', select, columns: names.map(plainColumn) });
  if (name === null) {
    throw refusal(
      'a key that is computed from rows of several shards',
      'Compute it first and pass the result as a parameter.',
    );
  }
  const [result] = resultsIn(resultRead(name));
  assert(result !== undefined, 'the name of a result');
  return result;
}

/** A query of so many rows, whatever it selects. */
function rowsOf(count: number): SelectNode {
  const text = `SELECT FROM pg_catalog.generate_series(1, ${count})`;
  const outcome = parseStatement(text, text);
  assert(outcome.kind === 'parsed' && 'SelectStmt' in outcome.statement, 'a SELECT');
  return outcome.statement.SelectStmt;
}
