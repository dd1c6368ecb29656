import { assert } from '../base/assert.ts';
import { cannotBeRun } from '../executor/cursors/cursor-refusals.ts';
import { runStatement } from '../executor/run-statement.ts';
import { MultiShardPortal } from '../executor/select/run-multi-shard.ts';
import { expectLeftovers } from '../executor/session/session-effects.ts';
import type { SessionExecutor } from '../executor/session-executor.ts';
import type { StatementRun } from '../executor/statement-run.ts';
import type { Target } from '../executor/target.ts';
import { inBlock } from '../executor/transaction/in-block.ts';
import { KeptReturning } from '../executor/write/kept-returning.ts';
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
  const { returning } = portal;
  if (returning !== null) {
    const give = (ok: boolean) => (ok ? returning.give(rowsMax, done) : done(false));
    if (describe) describePortal(executor, portal, give);
    else give(true);
    return;
  }
  if (portal.isDone) {
    const tag = emptyTag(planned.plan, target);
    if (tag === null) executor.fail(cannotBeRun(portal.name), done);
    else executor.succeed(encodeCommandComplete(tag), done);
    return;
  }
  portal.isDone = planned.plan.kind !== 'empty';
  const how = { padding: '', describe: false, describesPortal: describe };
  const run = { planned, parameters, resultFormats, ...how };
  if (rowsMax > 0 && target?.kind === 'write' && target.returnsRows) {
    runInPieces(executor, portal, { run, rowsMax }, done);
  } else runStatement(executor, run, done);
}

/** All rows of a write over several shards come at once, as it is done once; the client gets some. */
function runInPieces(
  executor: SessionExecutor,
  portal: Portal,
  { run, rowsMax }: { readonly run: StatementRun; readonly rowsMax: number },
  done: Done,
): void {
  const { plan } = run.planned;
  assert(plan.kind === 'modify', 'a write');
  const returning = new KeptReturning(executor, plan.command);
  runStatement(executor, { ...run, returning }, (ok) => {
    if (!ok) {
      returning.drop();
      done(false);
      return;
    }
    portal.returning = returning;
    returning.give(rowsMax, done);
  });
}

/** Of a statement that has given all of its rows; null: it gives none. */
function emptyTag(plan: Plan, target: Target | null): string | null {
  if (plan.kind === 'cursor') {
    return plan.command.kind === 'fetch' && !plan.command.move ? 'FETCH 0' : null;
  }
  if (plan.kind !== 'modify' || target?.kind !== 'write' || !target.returnsRows) return null;
  return plan.command === 'insert' ? 'INSERT 0 0' : `${plan.command.toUpperCase()} 0`;
}
