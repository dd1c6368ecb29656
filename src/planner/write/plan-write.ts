import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import type { SqlNode } from '../../sql/ast.ts';
import { analyzeStatementWrite } from '../analyze-write.ts';
import { routingOf } from '../keys/routing-of.ts';
import type { MultiShardWrite, Plan, Reject, Routing } from '../plan.ts';
import { refuse, rejectOf } from '../refuse.ts';
import { sequenceAdvance } from '../sequence-advance.ts';
import { StatementContext, type StatementSource } from '../statement-context.ts';
import { noteStatementFacts } from '../statement-facts.ts';
import type { WriteFacts } from '../written-table.ts';
import { withKeyGiven } from './given-defaults.ts';
import { isOfOneKey } from './is-of-one-key.ts';
import { planInsert } from './plan-insert.ts';
import { planMerge } from './plan-merge.ts';
import { planOwnRows } from './plan-own-rows.ts';
import { planOfParts, planWithWrites } from './plan-with-writes.ts';
import { type WithWrites, withWritesOf } from './with-writes.ts';

type Command = 'insert' | 'update' | 'delete' | 'merge';

/** INSERT, UPDATE, DELETE and MERGE. Throws what no server may run. */
export function planWrite(source: StatementSource, statement: SqlNode, command: Command): Plan {
  const given = withDefaults(source, statement);
  const parts = withWritesOf(given);
  if (parts !== null) return planParts(source, given, parts, command);
  return planWhole(source, given, command, multiShardWrite);
}

type PlanMulti = typeof multiShardWrite;

/** One shard can do all of it, or its parts are done one after the other. */
function planParts(
  source: StatementSource,
  statement: SqlNode,
  parts: WithWrites,
  command: Command,
): Plan {
  const multi = planWithWrites(source, parts, planPlain);
  try {
    return planWhole(source, statement, command, (_source, _statement, facts, routing) =>
      facts.isWhole && isOfOneKey(routing) ? oneShard : multi,
    );
  } catch (error) {
    if (error instanceof PgError && multi.kind !== 'reject') return planOfParts(command, multi);
    throw error;
  }
}

const oneShard = refuse('one shard has all that it concerns');

/** A write whose WITH writes nothing. */
export function planPlain(source: StatementSource, statement: SqlNode): MultiShardWrite | Reject {
  const given = withDefaults(source, statement);
  const context = new StatementContext(source, given);
  noteStatementFacts(context, given);
  const facts = analyzeStatementWrite(context, given);
  return multiShardWrite(source, given, { ...facts, isWhole: false }, routingOf(context));
}

function planWhole(
  source: StatementSource,
  given: SqlNode,
  command: Command,
  planMulti: PlanMulti,
): Plan {
  const context = new StatementContext(source, given);
  noteStatementFacts(context, given);
  const facts = analyzeStatementWrite(context, given);
  const routing = routingOf(context);
  const multi = planMulti(source, given, facts, routing);
  if (!facts.isWhole && multi.kind === 'reject') return multi;
  const { effect } = context;
  const advances = sequenceAdvance(source, source.statement);
  const isWhole = { isWhole: facts.isWhole, ...(advances === null ? {} : { advances }) };
  const plan = { kind: 'modify', command, routing, ...isWhole, multi } as const;
  return effect === null ? plan : { ...plan, effect };
}

function withDefaults(source: StatementSource, statement: SqlNode): SqlNode {
  if (!('InsertStmt' in statement)) return statement;
  const given = withKeyGiven(source, statement.InsertStmt);
  return given === statement.InsertStmt ? statement : { InsertStmt: given };
}

function multiShardWrite(
  source: StatementSource,
  statement: SqlNode,
  facts: WriteFacts,
  routing: Routing,
): MultiShardWrite | Reject {
  if (facts.isWhole && isOfOneKey(routing)) return oneShard;
  try {
    if ('InsertStmt' in statement) return planInsert(source, statement.InsertStmt, facts);
    if ('UpdateStmt' in statement || 'DeleteStmt' in statement) {
      return planOwnRows(source, statement, facts);
    }
    assert('MergeStmt' in statement, 'a write');
    return planMerge(source, statement.MergeStmt, facts);
  } catch (error) {
    if (error instanceof PgError) return rejectOf(error);
    throw error;
  }
}
