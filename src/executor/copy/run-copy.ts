import { assert, unreachable } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { CopyPlan, CopyRowsIn } from '../../planner/copy/copy-plan.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { Distribution } from '../../sharding/distribution.ts';
import { GatherBudget } from '../intermediate/gather-budget.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { StatementRun } from '../statement-run.ts';
import { AlikeRows, agreedRows } from './alike-rows.ts';
import { CompletedRows } from './completed-rows.ts';
import { CopyIn } from './copy-in.ts';
import { CopyOut } from './copy-out.ts';
import { copyOwnerReader, refusedEncoding } from './copy-owner.ts';
import { copyQuery } from './copy-query.ts';
import { KeyedRows } from './keyed-rows.ts';
import { RowPrefix } from './row-prefix.ts';
import type { ShardInput } from './shard-input.ts';
import { SkippedRows } from './skipped-rows.ts';

type Done = (ok: boolean) => void;

/** COPY of what does not lie on the home shard alone. */
export function runCopy(
  executor: SessionExecutor,
  run: StatementRun,
  copy: CopyPlan,
  done: Done,
): void {
  const { world } = executor;
  const text = run.padding + run.planned.text;
  switch (copy.kind) {
    case 'rows-in':
      world.telemetry.statement('multi-shard');
      executor.kept.sequences.blur();
      copyRowsIn(executor, copy, copy.defaults?.text ?? copy.rewrittenText ?? text, done);
      return;
    case 'copies-in':
      world.telemetry.statement('multi-shard');
      executor.kept.sequences.blur();
      copyCopiesIn(executor, copy, copy.rewrittenText ?? text, done);
      return;
    case 'rows-out': {
      world.telemetry.statement('multi-shard');
      const { shards } = distributionOf(executor, copy.distribution);
      new CopyOut(executor, { shards, text, format: copy.options.format }, done).begin();
      return;
    }
    case 'copy-out': {
      world.telemetry.statement('single-shard');
      const shard = executor.leastLoaded(world.planner.shardMap.shards);
      const build = () => ({ messages: [encodeQuery(text)], script: null });
      executor.runFlight({ shard, write: false, traffic: null, build }, done);
      return;
    }
    case 'query-out':
      copyQuery(executor, run, copy, done);
      return;
    default:
      unreachable(copy);
  }
}

function distributionOf({ world }: SessionExecutor, name: string): Distribution {
  const distribution = world.planner.shardMap.distributions.get(name);
  assert(distribution !== undefined, 'a plan is of the present shard map');
  return distribution;
}

function copyRowsIn(executor: SessionExecutor, plan: CopyRowsIn, text: string, done: Done): void {
  const { world, timeZone, transaction } = executor;
  const { table, options, defaults } = plan;
  const distribution = distributionOf(executor, plan.distribution);
  const refused = refusedEncoding(options.encoding) ?? unheardNotices(executor, plan);
  if (refused !== null) {
    executor.fail(refused, done);
    return;
  }
  const request = {
    shards: distribution.shards,
    table,
    text,
    lock: [],
    skipped: new SkippedRows(options),
    isAlike: false,
    feed: (inputs: readonly ShardInput[]) =>
      new KeyedRows({
        plan,
        inputs,
        prefix: defaults === null ? null : new RowPrefix(options, defaults.columns),
        ownerOf: copyOwnerReader(plan, distribution, timeZone),
        keyBytesMax: world.limits.messageBytesMax,
        writes: ({ shard }) => transaction.noteWrite(shard),
      }),
    count: (inputs: readonly { readonly rows: number }[]) =>
      inputs.reduce((sum, { rows }) => sum + rows, 0),
  };
  new CopyIn(executor, request, done).begin();
}

function copyCopiesIn(
  executor: SessionExecutor,
  plan: Extract<CopyPlan, { readonly kind: 'copies-in' }>,
  text: string,
  done: Done,
): void {
  const { planner, limits } = executor.world;
  const { shards, home } = planner.shardMap;
  const { table, fullName, options } = plan;
  // A single copy differs from none.
  const defaults = shards.length > 1 ? plan.defaults : null;
  const refused = unheardNotices(executor, plan);
  if (refused !== null) {
    executor.fail(refused, done);
    return;
  }
  const request = {
    // Whoever has locked the table on the home shard goes on alone.
    shards: [home, ...shards.filter((shard) => shard !== home)],
    table,
    text: defaults?.text ?? text,
    lock: [fullName],
    skipped: new SkippedRows(options),
    isAlike: true,
    feed: (inputs: readonly ShardInput[]) => {
      const writes = ({ shard }: ShardInput) => executor.transaction.noteWrite(shard);
      if (defaults === null) return new AlikeRows(inputs, writes);
      return new CompletedRows({
        table,
        options,
        defaults,
        inputs,
        prefix: new RowPrefix(options, defaults.columns),
        budget: defaults.per === 'row' ? new GatherBudget(limits.gatherBytesMax) : null,
        keyBytesMax: limits.messageBytesMax,
        writes,
      });
    },
    count: agreedRows,
  };
  new CopyIn(executor, request, done).begin();
}

const heard = new Set([
  'debug',
  'debug1',
  'debug2',
  'debug3',
  'debug4',
  'debug5',
  'log',
  'notice',
  'info',
]);

/** REJECT_LIMIT counts, over all servers, what they tell of. */
function unheardNotices(
  { settings }: SessionExecutor,
  { options }: Extract<CopyPlan, { readonly options: unknown }>,
): PgError | null {
  const level = settings.values.get('client_min_messages') ?? 'notice';
  if (options.rejectLimit === null || heard.has(level.replaceAll("'", '').toLowerCase()))
    return null;
  return new PgError(
    SqlState.featureNotSupported,
    `COPY with REJECT_LIMIT into several shards while client_min_messages is ${level} is not supported`,
    { hint: 'SET client_min_messages TO notice.' },
  );
}
