import { acquireInOrder } from '../acquire-in-order.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { Target } from '../target.ts';
import type { MultiShardSelect } from './multi-shard-select.ts';
import type { IntermediateSelect } from './open-intermediate-select.ts';

/** A SELECT over several shards as a client asks for it. */
export type MultiShardRun = Pick<
  MultiShardSelect,
  'statementText' | 'literalText' | 'parameters' | 'resultFormats' | 'wantsDescription'
> & { readonly target: Extract<Target, { readonly kind: 'multi-shard' }> };

/** What a cursor needs to know, with and without intermediate results. */
export function multiShardRequest(
  executor: SessionExecutor,
  run: MultiShardRun,
): MultiShardSelect & IntermediateSelect {
  const { world, transaction } = executor;
  const { root, shards, intermediate, describedOn, runsAnywhere, combines, locks, choice } =
    run.target;
  const { mergeBytesMax, gatherBytesMax } = world.limits;
  return {
    ...run,
    root,
    shards,
    intermediate,
    describedOn,
    runsAnywhere,
    combines,
    choice,
    combineServer: () => executor.combineServer(),
    inTransaction: transaction.block !== 'none',
    mergeBytesMax,
    gatherBytesMax,
    acquire: acquireInOrder(executor, { locks }),
    acquireToAsk: acquireInOrder(executor, { rowless: true }),
    learned: world.planner.learned,
    choices: world.planner.choices,
    telemetry: world.telemetry,
    open: world.openMultiShardSelect,
  };
}
