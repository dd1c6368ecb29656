import { assert } from '../../base/assert.ts';
import type { FunctionCallNode, SelectNode, SqlNode } from '../../sql/ast.ts';
import { builtinName } from '../../sql/names.ts';
import { parseStatement } from '../../sql/parser.ts';
import { walk } from '../../sql/walk.ts';
import { replaceNodes } from '../intermediate/replace-nodes.ts';
import type { Plan } from '../plan.ts';
import { collect } from '../plan-multi-shard.ts';
import { refusal } from '../refuse.ts';
import { rewriteQuery } from '../rewrite-query.ts';
import { plainColumn } from '../scope.ts';
import { StatementContext, type StatementSource } from '../statement-context.ts';
import { cast, target } from '../tree-builders.ts';
import { writeRoute } from './write-route.ts';

/** Two of them come in the same order everywhere: whoever holds this name on the home shard. */
const locked = ['pg_catalog.pg_sequence'];

/**
 * SELECT setval(...), the only value of its query: on every shard that has the sequence, and so that
 * each goes on from its own place. null for a query without it; throws where it stands elsewhere.
 */
export function planSetval(source: StatementSource, select: SelectNode): Plan | null {
  const [only, ...others] = select.targetList ?? [];
  const call = only !== undefined && 'ResTarget' in only ? setvalOf(only.ResTarget.val) : null;
  const counted = callsOf(select);
  if (counted === 0) return null;
  const [sequence, value, isCalled] = call?.args ?? [];
  const isAlone = counted === 1 && others.length === 0 && !readsColumns(sequence);
  if (sequence === undefined || value === undefined || !isAlone) {
    throw refusal(
      'setval() beside other values, or of a sequence that a row names, is not supported',
      'SELECT setval(...) of one sequence at a time.',
    );
  }
  const values = {
    ...select,
    targetList: [
      target(cast(value, 'int8'), 'value'),
      target(isCalled ?? { A_Const: { boolval: { boolval: true } } }, 'called'),
    ],
  };
  const name = only !== undefined && 'ResTarget' in only ? only.ResTarget.name : undefined;
  const set = selectFrom(setSql(name ?? 'setval'), {
    __values: collected(source, values, ['value', 'called']),
    __sequence: collected(source, named(sequence), ['name']),
  });
  const query = rewriteQuery(new StatementContext(source, { SelectStmt: set }), set);
  if (query.kind === 'reject') return query;
  return {
    kind: 'modify',
    command: 'setval',
    routing: { kind: 'any' },
    isWhole: false,
    multi: {
      kind: 'write',
      before: [],
      intermediate: source.results.plans,
      step: { kind: 'copies', tables: locked, route: writeRoute(query) },
      isUnconditional: false,
      returnsRows: true,
      changesRows: true,
    },
  };
}

function setvalOf(node: SqlNode | undefined): FunctionCallNode | null {
  if (node === undefined || !('FuncCall' in node)) return null;
  return builtinName(node.FuncCall.funcname) === 'setval' ? node.FuncCall : null;
}

function callsOf(select: SelectNode): number {
  let count = 0;
  walk({ SelectStmt: select }, (node) => {
    if (setvalOf(node) !== null) count += 1;
    return true;
  });
  return count;
}

function readsColumns(node: SqlNode | undefined): boolean {
  let reads = false;
  walk(node, (inner) => {
    if ('ColumnRef' in inner) reads = true;
    return !reads;
  });
  return reads;
}

/** What the sequence is called, with its schema: the home shard knows it by any name. */
function named(sequence: SqlNode): SelectNode {
  const text = `SELECT (SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = __sequence) AS name`;
  const select = parsed(text);
  return replaceNodes(select, columnsCalled(select, '__sequence', cast(sequence, 'regclass')));
}

/**
 * The next value of this shard: the first on its place beyond what was set (interleaving.ts). What
 * the sequence does not take is set as it is, for PostgreSQL's own error.
 */
function setSql(name: string): string {
  return `SELECT CASE WHEN pg_catalog.setval(q.seqrelid::pg_catalog.regclass,
      CASE WHEN n.next BETWEEN q.seqmin AND q.seqmax AND v.value BETWEEN q.seqmin AND q.seqmax
        THEN n.next ELSE v.value END::pg_catalog.int8,
      v.called AND NOT (n.next BETWEEN q.seqmin AND q.seqmax AND v.value BETWEEN q.seqmin AND q.seqmax)
    ) IS NOT NULL THEN v.value END AS "${name.replaceAll('"', '""')}"
  FROM __values v CROSS JOIN __sequence s
    LEFT JOIN pg_catalog.pg_sequence q ON q.seqrelid = pg_catalog.to_regclass(s.name)
    LEFT JOIN LATERAL (
      SELECT f.first + mod(mod(q.seqstart - f.first, q.seqincrement) + q.seqincrement,
        q.seqincrement) AS next
      FROM (SELECT v.value::pg_catalog."numeric"
        + CASE WHEN NOT v.called THEN 0 WHEN q.seqincrement > 0 THEN 1 ELSE -1 END AS first) f
    ) n ON true`;
}

function selectFrom(text: string, names: { readonly [placeholder: string]: string }): SelectNode {
  const select = parsed(text);
  const replacements = new Map<object, unknown>();
  walk({ SelectStmt: select }, (node) => {
    const relname = 'RangeVar' in node ? names[node.RangeVar.relname ?? ''] : undefined;
    if (relname !== undefined && 'RangeVar' in node) {
      replacements.set(node.RangeVar, { ...node.RangeVar, relname });
    }
    return true;
  });
  return replaceNodes(select, replacements);
}

function columnsCalled(select: SelectNode, name: string, by: SqlNode): Map<object, unknown> {
  const found = new Map<object, unknown>();
  walk({ SelectStmt: select }, (node) => {
    const [field] = 'ColumnRef' in node ? (node.ColumnRef.fields ?? []) : [];
    if (field !== undefined && 'String' in field && field.String.sval === name) found.set(node, by);
    return true;
  });
  return found;
}

function parsed(text: string): SelectNode {
  const outcome = parseStatement(text, text);
  assert(outcome.kind === 'parsed' && 'SelectStmt' in outcome.statement, 'a SELECT');
  return outcome.statement.SelectStmt;
}

function collected(source: StatementSource, select: SelectNode, names: readonly string[]): string {
  const name = collect(source, { kind: 'query', select, columns: names.map(plainColumn) });
  if (name !== null) return name;
  throw refusal(
    'setval() of a value that shards cannot compute',
    'Compute it first and pass the result as a parameter.',
  );
}
