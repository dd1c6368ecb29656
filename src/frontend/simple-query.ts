import { countStatement } from '../executor/count-statement.ts';
import { oneByOne } from '../executor/one-by-one.ts';
import type { PlannedStatement } from '../executor/planned-statement.ts';
import { abortedError, isMistaken, noteExecuted, runStatement } from '../executor/run-statement.ts';
import { isPlain } from '../executor/session/session-effects.ts';
import { flightAdvance } from '../executor/session/take-sequence-values.ts';
import type { SessionExecutor } from '../executor/session-executor.ts';
import { noParameters, type StatementRun } from '../executor/statement-run.ts';
import { endImplicitBlock } from '../executor/transaction/transaction-commands.ts';
import { emptyQueryResponse } from '../protocol/constant-messages.ts';
import { encodeQuery } from '../protocol/query-message.ts';
import type { ShardId } from '../sharding/shard-id.ts';

/** Positions in error messages stay right for lists up to this length. */
const paddingMax = 100_000;

/**
 * Answers one Query message, without its ReadyForQuery. Several statements are one implicit
 * transaction (PostgreSQL manual, "Multiple Statements in a Simple Query"): they go to the server
 * as they are when all belong to one shard, otherwise one after the other in a block of ours.
 */
export function runSimpleQuery(executor: SessionExecutor, text: string, done: () => void): void {
  const { planner } = executor.world;
  const statements = planner.planAll(executor, text);
  const [first] = statements;
  if (first === undefined) {
    executor.succeed(emptyQueryResponse, done);
    return;
  }
  if (statements.length === 1) {
    runStatement(executor, simpleRun(first, ''), done);
    return;
  }
  // PostgreSQL reads the whole string first: with a mistake in it nothing is run.
  const mistaken = statements.find(({ plan }) => isMistaken(plan));
  if (mistaken !== undefined) {
    runStatement(executor, simpleRun(mistaken, paddingOf(mistaken)), done);
    return;
  }
  const shard = commonShard(executor, statements);
  if (shard !== null) {
    runWhole(executor, text, statements, shard, done);
    return;
  }
  runList(executor, statements, done);
}

/** The one shard of all statements, null when there are several or none. */
function commonShard(
  executor: SessionExecutor,
  statements: readonly PlannedStatement[],
): ShardId | null {
  let shard: ShardId | null = null;
  for (const planned of statements) {
    const { kind } = planned.plan;
    if (kind !== 'select' && kind !== 'modify' && kind !== 'utility') return null;
    if (!isPlain(planned.plan)) return null;
    const target = executor.world.planner.targetOf(executor, planned, noParameters);
    if (target.kind !== 'shard') return null;
    if (shard !== null && shard !== target.shard) return null;
    shard = target.shard;
  }
  return shard;
}

function runWhole(
  executor: SessionExecutor,
  text: string,
  statements: readonly PlannedStatement[],
  shard: ShardId,
  done: () => void,
): void {
  const aborted = abortedError(executor, null);
  if (aborted !== null) {
    executor.fail(aborted, done);
    return;
  }
  const write = statements.some(({ plan }) => plan.kind !== 'select' || !plan.readOnly);
  for (const { plan } of statements) {
    countStatement(executor.world.telemetry, plan, { kind: 'shard', shard, write });
  }
  const build = () => ({ messages: [encodeQuery(text)], script: null });
  const advances = flightAdvance(
    executor,
    statements.map(({ plan }) => plan),
  );
  const flight = { shard, write, traffic: null, build, advances };
  executor.runFlight(flight, (ok) => {
    const changing = statements.find(({ plan }) => plan.kind === 'utility' && plan.changesSchema);
    noteExecuted(
      executor,
      (changing ?? statements[0] ?? executor.world.planner.emptyStatement).plan,
      ok,
      done,
    );
  });
}

function runList(
  executor: SessionExecutor,
  statements: readonly PlannedStatement[],
  done: () => void,
): void {
  const { transaction } = executor;
  const end = () => {
    if (transaction.block === 'implicit') endImplicitBlock(executor, done);
    else done();
  };
  oneByOne((index, next) => {
    const planned = statements[index];
    if (planned === undefined) {
      end();
      return;
    }
    if (transaction.block === 'none') transaction.beginImplicit();
    // Names are looked up when it is its turn: those before it may have changed tables.
    const current = executor.world.planner.upToDate(executor, planned);
    // An error ends the list; what an implicit block has done is undone.
    runStatement(executor, simpleRun(current, paddingOf(current)), (ok) => (ok ? next() : end()));
  });
}

function simpleRun(planned: PlannedStatement, padding: string): StatementRun {
  return { planned, parameters: noParameters, padding, describe: true, resultFormats: [] };
}

function paddingOf({ start }: PlannedStatement): string {
  return start <= paddingMax ? ' '.repeat(start) : '';
}
