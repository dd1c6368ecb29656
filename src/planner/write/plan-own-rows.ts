import { assert } from '../../base/assert.ts';
import type { SqlNode } from '../../sql/ast.ts';
import type { Analysis } from '../analysis.ts';
import { routingOf } from '../keys/routing-of.ts';
import { isOnePass } from '../one-pass/multi-shard-select.ts';
import type { MultiShardWrite, Reject, ShardQuery } from '../plan.ts';
import { rewriteWrite } from '../rewrite-query.ts';
import type { StatementSource } from '../statement-context.ts';
import type { WriteFacts } from '../written-table.ts';
import { deleteAsSelect, updateAsSelect } from './as-select.ts';
import { fullName } from './full-name.ts';
import { type WithoutPerRow, withoutPerRow } from './per-row.ts';
import { planKeyChange } from './plan-key-change.ts';
import { isOfOneServer, settle } from './settle.ts';
import { withStableValuesAssigned } from './stable-defaults.ts';
import { writeRoute } from './write-route.ts';

type OwnRows = Extract<SqlNode, { UpdateStmt: unknown } | { DeleteStmt: unknown }>;

/** UPDATE and DELETE: each shard does it for its own rows, with what must be known of others. */
export function planOwnRows(
  source: StatementSource,
  statement: OwnRows,
  facts: WriteFacts,
): MultiShardWrite | Reject {
  const node = 'UpdateStmt' in statement ? statement.UpdateStmt : statement.DeleteStmt;
  assert(node.relation !== undefined, 'a write without a table');
  const around = { ...source, written: node.relation };
  const sharding = facts.relation?.sharding.kind ?? 'local';
  const given = withDefaults(source, statement, facts);
  const { tree, restore } = sharding === 'reference' ? whole(given) : withoutPerRow(given);
  const seen =
    'UpdateStmt' in tree ? updateAsSelect(tree.UpdateStmt) : deleteAsSelect(tree.DeleteStmt);
  const settled = settle(around, seen.select, reached[sharding]);
  if ('kind' in settled) return settled;
  const changed = settled.select === seen.select ? given : restore(seen.apply(settled.select));
  if (facts.setsKey && sharding === 'distributed') {
    return planKeyChange(around, changed, facts, settled.context);
  }
  const query: ShardQuery | Reject =
    changed === source.statement ? { kind: 'as-received' } : rewriteWrite(settled.context, changed);
  if (query.kind === 'reject') return query;
  const route = writeRoute(query);
  const intermediate = source.results.plans;
  const isUnconditional = sharding === 'distributed' && node.whereClause === undefined;
  const step =
    facts.relation !== null && sharding === 'reference'
      ? ({ kind: 'copies', tables: [fullName(facts.relation)], route } as const)
      : ({ kind: 'own-rows', routing: routingOf(settled.context), route } as const);
  const returnsRows = node.returningClause !== undefined;
  return {
    kind: 'write',
    before: [],
    intermediate,
    step,
    isUnconditional,
    returnsRows,
    changesRows: true,
  };
}

/** SET column = DEFAULT has one value for all shards. */
function withDefaults(
  source: StatementSource,
  statement: OwnRows,
  { relation }: WriteFacts,
): OwnRows {
  if (!('UpdateStmt' in statement) || relation === null || relation.sharding.kind === 'local') {
    return statement;
  }
  const { UpdateStmt: node } = statement;
  const assignments = node.targetList ?? [];
  const isCopied = relation.sharding.kind === 'reference';
  const given = withStableValuesAssigned(source, relation, assignments, isCopied);
  return given === assignments ? statement : { UpdateStmt: { ...node, targetList: [...given] } };
}

/** All copies must get the same value. */
function whole(tree: OwnRows): WithoutPerRow<OwnRows> {
  return { tree, restore: (changed) => changed };
}

/** By where the written rows are. */
const reached = {
  distributed: ({ context, block }: Analysis) =>
    context.multiRefusal === null && isOnePass(context, block),
  /** All copies must come out the same. */
  reference: (analysis: Analysis) =>
    analysis.context.multiRefusal === null && isOfOneServer(analysis) && !analysis.context.usesHome,
  local: isOfOneServer,
} as const;
