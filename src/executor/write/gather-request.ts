import type { RouteNode } from '../../planner/plan.ts';
import { acquireInOrder } from '../acquire-in-order.ts';
import type { GatherRequest } from '../intermediate/gathering.ts';
import { neededResults, queryOf } from '../intermediate/needed-results.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { WriteRun } from './write-run.ts';

/** Collects what the query of `route` reads, in the transaction of the write if it has begun. */
export function gatherRequest(
  executor: SessionExecutor,
  run: WriteRun,
  route: RouteNode,
): GatherRequest {
  const { world, transaction } = executor;
  const { typeOids, formats, values } = run.values;
  return {
    root: route,
    intermediate: run.target.intermediate,
    statementText: run.statementText,
    literalText: (slot) => run.literalText(slot),
    parameters: { typeOids, formats, values },
    combineServer: () => null,
    inTransaction: transaction.block !== 'none',
    mergeBytesMax: world.limits.mergeBytesMax,
    gatherBytesMax: world.limits.gatherBytesMax,
    describedOn: run.target.home,
    acquire: acquireInOrder(executor, { write: advances(run, route) }),
    acquireToAsk: acquireInOrder(executor, { rowless: true }),
    learned: world.planner.learned,
    telemetry: world.telemetry,
    open: world.openMultiShardSelect,
  };
}

/** What it collects takes values of sequences. */
export function advances({ target }: WriteRun, route: RouteNode): boolean {
  const { rows } = neededResults(target.intermediate, queryOf(route));
  return rows.some((number) => target.intermediate[number]?.advances === true);
}
