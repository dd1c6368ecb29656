import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { forward, plainFlight, swallow } from '../executor/cursors/cursor-flight.ts';
import { cannotBeRun, otherSettings } from '../executor/cursors/cursor-refusals.ts';
import { findCursor } from '../executor/cursors/find-cursor.ts';
import { reviewReservations } from '../executor/session/review-reservations.ts';
import type { SessionExecutor } from '../executor/session-executor.ts';
import { encodeBind } from '../protocol/bind-message.ts';
import { encodeClose } from '../protocol/close-message.ts';
import { encodeCommandComplete } from '../protocol/command-complete.ts';
import {
  closeComplete,
  noData,
  portalSuspended,
  syncMessage,
} from '../protocol/constant-messages.ts';
import { encodeDescribe } from '../protocol/describe-message.ts';
import { encodeExecute } from '../protocol/execute-message.ts';
import { encodeParameterDescription } from '../protocol/parameter-description.ts';
import { encodeParse } from '../protocol/parse-message.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { DescribeStep } from './batch-groups.ts';
import type { CursorStep } from './batch-step.ts';
import { describeExecute, describeText } from './describe-execute.ts';

type Done = (ok: boolean) => void;

/**
 * Describe of a FETCH: as PostgreSQL does, with the columns of its cursor, and without any when
 * there is no cursor or when it is a MOVE.
 */
export function describeFetch(executor: SessionExecutor, step: DescribeStep, done: Done): void {
  const statement = step.kind === 'describe-portal' ? step.portal.statement : step.statement;
  const { plan } = statement.planned;
  if (plan.kind === 'prepared') {
    describeExecute(executor, step, plan.command.name ?? '', done);
    return;
  }
  const isDeclare = plan.kind === 'cursor' && plan.command.kind === 'declare';
  if (plan.kind === 'recalled' || plan.kind === 'explain' || isDeclare) {
    describeText(executor, step, statement, done);
    return;
  }
  const command = plan.kind === 'cursor' && plan.command.kind === 'fetch' ? plan.command : null;
  const cursor = command === null ? null : findCursor(executor, command.name);
  if (cursor?.kind === 'shard') {
    executor.runFlight(shardDescribe(cursor.shard, step, statement.planned.text), done);
    return;
  }
  const parts = step.kind === 'describe-statement' ? [encodeParameterDescription([])] : [];
  const isKnown = cursor?.kind === 'multi-shard' && command?.move === false;
  const formats = step.kind === 'describe-portal' ? step.portal.resultFormats : [];
  parts.push(isKnown ? cursor.cursor.description(...formats) : noData);
  executor.succeed(Buffer.concat(parts), done);
}

function shardDescribe(shard: ShardId, step: DescribeStep, sql: string) {
  const parse = encodeParse({ name: '', sql, typeOids: [] });
  if (step.kind === 'describe-statement') {
    const describe = encodeDescribe({ kind: 'statement', name: '' });
    return plainFlight(shard, false, [parse, describe, syncMessage], [swallow, forward]);
  }
  const { resultFormats } = step.portal;
  const messages = [
    parse,
    encodeBind({ portal: '', statement: '', formats: [], values: [], resultFormats }),
    encodeDescribe({ kind: 'portal', name: '' }),
    syncMessage,
  ];
  return plainFlight(shard, false, messages, [swallow, swallow, forward]);
}

/** Describe, Execute or Close of a cursor that DECLARE has made. */
export function runCursorStep(executor: SessionExecutor, step: CursorStep, done: Done): void {
  const { name, action } = step;
  const cursor = executor.cursors.get(name);
  if (cursor === null) {
    if (action === 'close') executor.succeed(closeComplete, done);
    else executor.fail(noPortal(name), done);
    return;
  }
  if (cursor.kind === 'shard') {
    const messages = [shardMessage(step), syncMessage];
    executor.runFlight(plainFlight(cursor.shard, false, messages, [forward]), (ok) => {
      if (ok && action === 'close') executor.cursors.close(name);
      if (executor.transaction.block === 'none') reviewReservations(executor, () => done(ok));
      else done(ok);
    });
    return;
  }
  switch (action) {
    case 'close':
      executor.cursors.close(name);
      executor.succeed(closeComplete, done);
      return;
    case 'describe':
      executor.succeed(cursor.cursor.description(), done);
      return;
    case 'execute': {
      if (cursor.cursor.hasFailed || !cursor.cursor.gives([])) {
        executor.fail(cannotBeRun(name), done);
        return;
      }
      if (cursor.cursor.textHasChanged) {
        executor.fail(otherSettings(), done);
        return;
      }
      const count = step.rowsMax === 0 ? Infinity : step.rowsMax;
      cursor.cursor.advance(count, true, (rows) => {
        if (rows === null) {
          done(false);
          return;
        }
        const isOver = cursor.cursor.place.at === 'after';
        const end = isOver ? encodeCommandComplete(`SELECT ${rows}`) : portalSuspended;
        executor.succeed(end, done);
      });
      return;
    }
  }
}

function shardMessage({ action, name, rowsMax }: CursorStep): Buffer {
  switch (action) {
    case 'describe':
      return encodeDescribe({ kind: 'portal', name });
    case 'execute':
      return encodeExecute({ portal: name, rowsMax });
    case 'close':
      return encodeClose({ kind: 'portal', name });
  }
}

export function noPortal(name: string): PgError {
  return new PgError(SqlState.invalidCursorName, `portal "${name}" does not exist`);
}
