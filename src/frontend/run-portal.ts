import { assert } from '../base/assert.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { cannotBeRun } from '../executor/cursor-refusals.ts';
import { inBlock } from '../executor/in-block.ts';
import { MultiShardPortal } from '../executor/run-multi-shard.ts';
import { runStatement } from '../executor/run-statement.ts';
import { expectLeftovers } from '../executor/session-effects.ts';
import type { SessionExecutor } from '../executor/session-executor.ts';
import type { Target, WriteTarget } from '../executor/target.ts';
import type { Plan } from '../planner/plan.ts';
import { encodeCommandComplete } from '../protocol/command-complete.ts';
import { portalSuspended } from '../protocol/constant-messages.ts';
import type { BatchGroup } from './batch-groups.ts';
import { noPortal } from './cursor-messages.ts';
import { describePortal } from './describe-portal.ts';
import type { Portal } from './prepared-statement.ts';

type Done = (ok: boolean) => void;

/** Execute of a SELECT over several shards. */
export function runMultiShard(
  executor: SessionExecutor,
  { portal, describe, rowsMax }: Extract<BatchGroup, { readonly kind: 'multi-shard' }>,
  done: Done,
): void {
  if (portal.isGone) {
    executor.fail(noPortal(portal.name), done);
    return;
  }
  const isFirst = portal.cursor === null;
  const cursor = openPortal(executor, portal, describe);
  const { name } = portal;
  if (isFirst || !describe) {
    fetch(executor, cursor, { name, rowsMax }, done);
    return;
  }
  describePortal(executor, portal, (ok) => {
    if (ok) fetch(executor, cursor, { name, rowsMax }, done);
    else done(false);
  });
}

/** Before each Execute, or MOVE: the first of them opens it. */
export function openPortal(
  executor: SessionExecutor,
  portal: Portal,
  wantsDescription: boolean,
): MultiShardPortal {
  const { target, statement, parameters, resultFormats } = portal;
  const { planned } = statement;
  assert(target?.kind === 'multi-shard', 'a portal over several shards');
  expectLeftovers(executor, planned.plan);
  if (!executor.kept.reservations.isEmpty) inBlock(executor);
  portal.cursor ??= new MultiShardPortal(executor, {
    target,
    statementText: planned.text,
    literalText: (slot) => planned.literalText(slot),
    parameters,
    resultFormats,
    wantsDescription,
  });
  return portal.cursor;
}

function fetch(
  executor: SessionExecutor,
  cursor: MultiShardPortal,
  { name, rowsMax }: { readonly name: string; readonly rowsMax: number },
  done: Done,
): void {
  if (cursor.hasFailed) {
    executor.fail(cannotBeRun(name), done);
    return;
  }
  cursor.fetch(rowsMax, (end) => {
    if (end === 'suspended') executor.output.push(portalSuspended);
    done(end !== 'failed');
  });
}

/** Execute of what no flight is for; a second one is answered as PostgreSQL does it. */
export function runCommand(
  executor: SessionExecutor,
  { portal, describe, rowsMax }: Extract<BatchGroup, { readonly kind: 'command' }>,
  done: Done,
): void {
  const { statement, parameters, resultFormats, target } = portal;
  const { planned } = statement;
  if (portal.isGone) {
    executor.fail(noPortal(portal.name), done);
    return;
  }
  if (portal.isDone) {
    const tag = emptyTag(planned.plan, target);
    if (tag === null) executor.fail(cannotBeRun(portal.name), done);
    else executor.succeed(encodeCommandComplete(tag), done);
    return;
  }
  const refused = target?.kind === 'write' ? unlimited(target, rowsMax) : null;
  if (refused !== null) {
    executor.fail(refused, done);
    return;
  }
  portal.isDone = planned.plan.kind !== 'empty';
  const how = { padding: '', describe: false, describesPortal: describe };
  runStatement(executor, { planned, parameters, resultFormats, ...how }, done);
}

/** Of a statement that has given all of its rows; null: it gives none. */
function emptyTag(plan: Plan, target: Target | null): string | null {
  if (plan.kind === 'cursor') {
    return plan.command.kind === 'fetch' && !plan.command.move ? 'FETCH 0' : null;
  }
  if (plan.kind !== 'modify' || target?.kind !== 'write' || !target.returnsRows) return null;
  return plan.command === 'insert' ? 'INSERT 0 0' : `${plan.command.toUpperCase()} 0`;
}

/** All rows of a write over several shards come at once, and it is done once. */
function unlimited(target: WriteTarget, rowsMax: number): PgError | null {
  if (rowsMax === 0 || !target.returnsRows) return null;
  return new PgError(
    SqlState.featureNotSupported,
    'a row limit for RETURNING of a write over several shards is not supported',
    { hint: 'Execute it without a limit (a fetch size of 0).' },
  );
}
