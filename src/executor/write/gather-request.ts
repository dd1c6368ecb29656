import type { RouteNode } from '../../planner/plan.ts';
import { acquireInOrder } from '../acquire-in-order.ts';
import type { GatherRequest } from '../intermediate/gathering.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { WriteRun } from './write-run.ts';

/** Collects what the query of `route` reads, in the transaction of the write. */
export function gatherRequest(
  executor: SessionExecutor,
  run: WriteRun,
  route: RouteNode,
): GatherRequest {
  const { world } = executor;
  const { typeOids, formats, values } = run.values;
  return {
    root: route,
    intermediate: run.target.intermediate,
    statementText: run.statementText,
    literalText: (slot) => run.literalText(slot),
    parameters: { typeOids, formats, values },
    combineServer: () => null,
    inTransaction: true,
    mergeBytesMax: world.limits.mergeBytesMax,
    gatherBytesMax: world.limits.gatherBytesMax,
    describedOn: run.target.home,
    acquire: acquireInOrder(executor, {}),
    acquireToAsk: acquireInOrder(executor, { rowless: true }),
    learned: world.planner.learned,
    telemetry: world.telemetry,
    open: world.openMultiShardSelect,
  };
}
