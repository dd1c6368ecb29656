import { assert, unreachable } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { PreparedCommand } from '../planner/commands/prepared-command.ts';
import type { SettingCommand } from '../planner/commands/setting-command.ts';
import type { Plan } from '../planner/plan.ts';
import { emptyQueryResponse } from '../protocol/constant-messages.ts';
import { encodeQuery } from '../protocol/query-message.ts';
import { boundFlight } from './bound-flight.ts';
import { runCopy } from './copy/run-copy.ts';
import { countStatement } from './count-statement.ts';
import { runCursorCommand } from './cursors/cursor-commands.ts';
import { unnamedFlight } from './cursors/cursor-flight.ts';
import { runExplain } from './explain/explain.ts';
import type { Flight } from './flight.ts';
import type { KeptQuery } from './kept-query.ts';
import { rejection } from './rejection.ts';
import { runRecalled } from './run-recalled.ts';
import { MultiShardPortal } from './select/run-multi-shard.ts';
import { runPreparedCommand } from './session/prepared-commands.ts';
import {
  expectLeftovers,
  isPlain,
  keepsState,
  setsSettings,
  settleEffects,
} from './session/session-effects.ts';
import { runSettingCommand } from './session/setting-commands.ts';
import { flightAdvance, keyListener } from './session/take-sequence-values.ts';
import type { SessionExecutor } from './session-executor.ts';
import type { StatementRun } from './statement-run.ts';
import type { Target, UtilityTarget, WriteTarget } from './target.ts';
import { inBlock } from './transaction/in-block.ts';
import { runTransactionCommand } from './transaction/transaction-commands.ts';
import { refreshBlockSchema } from './utility/block-schema.ts';
import { runUtility, type UtilityRun } from './utility/run-utility.ts';
import { runWrite } from './write/run-write.ts';
import type { WriteRun } from './write/write-run.ts';

type Done = (ok: boolean) => void;

/** Runs one statement. The last message of its answer has been sent when `done(true)` is called. */
export function runStatement(executor: SessionExecutor, run: StatementRun, done: Done): void {
  const { planned } = run;
  const { plan } = planned;
  // The text is read before the transaction is looked at: a server tells the mistake in it.
  const aborted = isMistaken(plan) ? null : abortedError(executor, plan);
  if (aborted !== null) {
    executor.fail(aborted, done);
    return;
  }
  switch (plan.kind) {
    case 'select':
    case 'modify':
    case 'utility':
      runTarget(
        executor,
        run,
        executor.world.planner.targetOf(executor, planned, run.parameters),
        done,
      );
      return;
    case 'copy':
      expectLeftovers(executor, plan);
      flightAdvance(executor, [plan]);
      runCopy(executor, run, plan.copy, done);
      return;
    case 'transaction':
      executor.world.telemetry.statement('local');
      runTransactionCommand(executor, plan.command, planned.text, done);
      return;
    case 'setting':
      runSetting(executor, plan.command, planned.text, done);
      return;
    case 'cursor':
      if (executor.transaction.block !== 'none') expectLeftovers(executor, plan);
      flightAdvance(executor, [plan]);
      runCursorCommand(executor, run, plan.command, done);
      return;
    case 'prepared':
      runPrepared(executor, run, plan.command, done);
      return;
    case 'explain':
      expectLeftovers(executor, plan);
      flightAdvance(executor, [plan]);
      executor.world.telemetry.statement('local');
      runExplain(executor, run, plan, done);
      return;
    case 'recalled':
      runRecalled(
        executor,
        run,
        plan.calls,
        (recalled, ended) => runStatement(executor, recalled, ended),
        done,
      );
      return;
    case 'empty':
      executor.succeed(emptyQueryResponse, done);
      return;
    case 'reject':
      executor.world.telemetry.statement('rejected');
      executor.fail(rejection(plan), done);
      return;
    default:
      unreachable(plan);
  }
}

/** It cannot be read, and goes to a server as it is: that one says where the mistake is. */
export function isMistaken(plan: Plan): boolean {
  return plan.kind === 'utility' && plan.tag === '';
}

function runSetting(
  executor: SessionExecutor,
  command: SettingCommand,
  text: string,
  done: Done,
): void {
  executor.world.telemetry.statement('local');
  runSettingCommand(executor, command, text, (ok) => {
    if (ok && command.kind === 'discard-all') {
      executor.session.discardAll();
      executor.cursors.closeAll();
      executor.kept.drop();
    }
    done(ok);
  });
}

function runPrepared(
  executor: SessionExecutor,
  run: StatementRun,
  command: PreparedCommand,
  done: Done,
): void {
  executor.world.telemetry.statement('local');
  runPreparedCommand(
    executor,
    run,
    command,
    (prepared, ended) => {
      if (prepared.planned.plan.kind === 'recalled') {
        runStatement(executor, prepared, ended);
        return;
      }
      const { planner } = executor.world;
      const target = planner.targetOf(executor, prepared.planned, prepared.parameters);
      runTarget(executor, prepared, target, ended);
    },
    done,
  );
}

/** In a failed transaction only its end is possible. */
export function abortedError(executor: SessionExecutor, plan: Plan | null): PgError | null {
  if (!executor.transaction.failed) return null;
  if (plan?.kind === 'transaction') {
    const { kind } = plan.command;
    if (['commit', 'rollback', 'rollback-to', 'prepare'].includes(kind)) return null;
  }
  return new PgError(
    SqlState.inFailedSqlTransaction,
    'current transaction is aborted, commands ignored until end of transaction block',
  );
}

function runTarget(executor: SessionExecutor, run: StatementRun, target: Target, done: Done): void {
  const { planned } = run;
  countStatement(executor.world.telemetry, planned.plan, target);
  if (target.kind !== 'error') expectLeftovers(executor, planned.plan);
  switch (target.kind) {
    case 'shard': {
      // What only reads takes nothing.
      const advances = planned.traffic === null ? flightAdvance(executor, [planned.plan]) : null;
      if (setsSettings(planned.plan)) inBlock(executor);
      executor.runFlight(
        {
          shard: target.shard,
          write: target.write,
          rowless: isRowless(planned.plan),
          traffic: planned.traffic,
          build: queryFlight(executor, run),
          resolvable: target.write && planned.plan.kind === 'modify',
          ...(keepsState(planned.plan) ? { reserves: true } : {}),
          advances,
        },
        (ok) => settle(executor, run, ok, done),
      );
      return;
    }
    case 'multi-shard': {
      // What is asked of a server that is kept comes one after the other, as in a block.
      if (!executor.kept.reservations.isEmpty) inBlock(executor);
      const portal = new MultiShardPortal(executor, {
        target,
        statementText: run.padding + planned.text,
        literalText: (slot) => planned.literalText(slot),
        parameters: run.parameters,
        resultFormats: run.resultFormats,
        wantsDescription: run.describe,
      });
      portal.fetch(0, (end) => done(end === 'complete'));
      return;
    }
    case 'write':
      runWrite(executor, writeRun(executor, run, target), (ok) => settle(executor, run, ok, done));
      return;
    case 'utility':
      runUtility(executor, utilityRun(run, target), done);
      return;
    case 'error':
      executor.fail(target.error, done);
      return;
    default:
      unreachable(target);
  }
}

/** SHOW: no snapshot counts. */
export function isRowless(plan: Plan): boolean {
  return plan.kind === 'utility' && plan.tag === 'SHOW';
}

/** The statement as the client wrote it, or in the form that servers have kept. */
function queryFlight(executor: SessionExecutor, run: StatementRun): Flight['build'] {
  const { planned, padding, serverName } = run;
  if (run.isBound === true) return unnamedFlight(run);
  if (serverName !== undefined) return boundFlight(run, serverName);
  let kept: KeptQuery | null = null;
  return (connection, keeping) => {
    const { traffic } = planned;
    if (keeping && traffic !== null) {
      kept = executor.world.planner.keptQueries.of(planned, traffic, executor.meaning);
      const flight = kept?.flight(connection, planned);
      if (flight) return flight;
    } else kept?.noteRefused();
    return { messages: [encodeQuery(padding + planned.text)], script: null };
  };
}

function settle(executor: SessionExecutor, run: StatementRun, ok: boolean, done: Done): void {
  const { plan } = run.planned;
  const next = (settled: boolean) => noteExecuted(executor, plan, settled, done);
  if (isPlain(plan)) next(ok);
  else settleEffects(executor, [run], ok, next);
}

function writeRun(executor: SessionExecutor, run: StatementRun, target: WriteTarget): WriteRun {
  const { timeZone } = executor;
  const { planned, padding, parameters, resultFormats, describe } = run;
  const describesPortal = run.describesPortal === true;
  const { plan, source } = planned;
  assert(plan.kind === 'modify', 'only writes are written');
  return {
    target,
    command: plan.command,
    statementText: padding + planned.text,
    literalText: (slot) => planned.literalText(slot),
    values: { text: source.text, literals: source.lexed.literals, timeZone, ...parameters },
    resultFormats,
    wantsDescription: describe || describesPortal,
    describesPortal,
    returning: run.returning ?? null,
    keyGiven: keyListener(executor, plan),
  };
}

function utilityRun(run: StatementRun, target: UtilityTarget): UtilityRun {
  const { planned, padding, describesPortal = false } = run;
  const text = padding + planned.text;
  const { elsewhere: other } = target;
  const elsewhere = other.kind === 'as-received' ? text : other.pieces.join('');
  return { target, text, elsewhere, describesPortal };
}

/** After DDL, once it is committed, the catalogue is read again before the client may go on. */
export function noteExecuted(executor: SessionExecutor, plan: Plan, ok: boolean, done: Done): void {
  const changes =
    (plan.kind === 'utility' || plan.kind === 'modify') && plan.changesSchema === true;
  if (!ok || !changes) {
    done(ok);
  } else if (executor.transaction.block !== 'none') {
    executor.transaction.noteSchemaChange();
    refreshBlockSchema(executor, (error) => {
      if (error === null) done(true);
      else executor.fail(error, done);
    });
  } else {
    const goOn = () => done(true);
    executor.world.schemaChanged().then(goOn, goOn);
  }
}
