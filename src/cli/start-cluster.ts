import { randomBytes } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import { CatalogueReader, type CatalogueReading } from '../cluster/catalogue/catalogue-reader.ts';
import { mistakeText } from '../cluster/catalogue/schema-mistakes.ts';
import type { ClusterStatus } from '../cluster/cluster-status.ts';
import { readDrift } from '../cluster/drift/read-drift.ts';
import type { HookCall, HookOutcome } from '../cluster/failover/hook-call.ts';
import { pastFailover } from '../cluster/failover/past-failover.ts';
import { findPrimary } from '../cluster/find-primary.ts';
import type { StrandedRows } from '../cluster/map-edit/find-stranded.ts';
import { MapKeeper } from '../cluster/map-edit/map-keeper.ts';
import { strandedError, uncheckedError } from '../cluster/map-edit/stranded-error.ts';
import { ClusterMonitor } from '../cluster/monitor/cluster-monitor.ts';
import { FileJournal } from '../cluster/monitor/file-journal.ts';
import { FileRecordStore } from '../cluster/monitor/file-record-store.ts';
import { runHook } from '../cluster/monitor/run-hook.ts';
import { SequenceAdjuster } from '../cluster/sequences/sequence-adjuster.ts';
import { besideRecovery } from '../cluster/transactions/beside-recovery.ts';
import { GlobalIds } from '../cluster/transactions/global-id.ts';
import { TransactionRecovery } from '../cluster/transactions/transaction-recovery.ts';
import type { Config, NodeAddress, NodeId } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { ClusterControl, ClusterEvents } from '../supervisor/cluster-control.ts';

/** Watches the servers of a configuration: the cluster's side of the supervisor. */
export async function startCluster(
  config: Config,
  parts: {
    readonly clock: Clock;
    readonly telemetry: Telemetry;
    /** Of a server that runs here and is known, else null. */
    readonly pidOf: (node: NodeId) => number | null;
    /** The file may have been edited so that rows are not found any more. */
    readonly allowStranded: boolean;
  },
  events: ClusterEvents,
): Promise<ClusterControl> {
  const { clock, telemetry } = parts;
  let current = config;
  const journal = await FileJournal.open(config.failover.stateDirectory);
  const maps = await MapKeeper.open(config.failover.stateDirectory);
  const keep = (writing: Promise<void>) => {
    writing.catch((error: unknown) => {
      telemetry.log('warn', 'the journal of failovers could not be written', { error });
    });
  };
  const monitor = await ClusterMonitor.start({
    ...parts,
    config,
    store: new FileRecordStore(config.failover.stateDirectory),
    onShardStates: events.onShardStates,
    onJournal: (entry) => keep(journal.append(pastFailover(entry, clock.wallTime()))),
    onChecked: (checked) =>
      keep(events.lookAround(checked).then((whole) => journal.complete(whole))),
    runHook: (call) => runConfigured(current, call, clock),
  });
  const reader = new CatalogueReader();
  const read = (current: Config) =>
    reader.read(current, (shard) => primaryOf(monitor, current, shard));
  const report = mistakeReporter(parts.telemetry);
  const adjuster = new SequenceAdjuster({
    telemetry,
    globalIds: new GlobalIds(randomBytes(8).toString('hex')),
    primaryOf: (config, shard) => primaryOf(monitor, config, shard),
  });
  const recovery = new TransactionRecovery({
    clock,
    telemetry,
    config: () => current,
    primaryOf: (shard) => primaryOf(monitor, current, shard),
  });
  const primaryToAsk = async (shard: ShardId, nodes: readonly NodeAddress[]) =>
    primaryOf(monitor, current, shard) ?? (await findPrimary(current, shard, nodes));
  /** Of the start, for whoever asks first. */
  let first: CatalogueReading | null = null;
  try {
    const hasEnded = await besideRecovery(recovery, clock, async () => {
      first = await demandFittingTables(read(config));
      if (!parts.allowStranded)
        await demandNoneStranded(() => maps.findStranded(config, primaryToAsk));
      await maps.adopt(config);
    });
    if (hasEnded) first = null;
  } catch (error) {
    recovery.close();
    await monitor.stop();
    throw error;
  }
  return {
    shardStates: () => monitor.shardStates(),
    status: () => withPids(monitor.status(), parts.pidOf),
    serverLost: (node) => monitor.serverLost(node),
    proofOfLife: (nodes) => monitor.proofOfLife(nodes),
    command: (shard, command) => monitor.command(shard, command),
    rehearse: (shard, command) => monitor.rehearse(shard, command),
    resolveCommit: (question) => monitor.resolveCommit(question),
    pastFailovers: () => journal.entries,
    async reconfigure(next) {
      await monitor.reconfigure(next);
      current = next;
    },
    async readCatalogue(current) {
      const reading = (current === config ? first : null) ?? (await read(current));
      first = null;
      report(reading);
      // Before a worker hears of a table: its first id is no other shard's.
      if (reading.needsAdjusting) await adjuster.adjust(current);
      return reading.snapshot;
    },
    findStranded: (next) => maps.findStranded(next, primaryToAsk),
    mapAdopted: (adopted) => maps.adopt(adopted),
    readDrift: (config, catalogue) =>
      readDrift({ config, catalogue, primaryOf: (shard) => primaryOf(monitor, config, shard) }),
    recovery,
    stop: () => monitor.stop(),
  };
}

async function runConfigured(config: Config, call: HookCall, clock: Clock): Promise<HookOutcome> {
  const program = config.failover.hooks[call.hook];
  if (program === null) return { kind: 'failed', reason: `there is no ${call.hook} hook` };
  return await runHook(program, call, { clock, nodes: [...config.nodes.values()].flat() });
}

function withPids(status: ClusterStatus, pidOf: (node: NodeId) => number | null): ClusterStatus {
  const nodes = status.nodes.map((node) => ({ ...node, pid: pidOf(node.node) }));
  return { ...status, nodes };
}

function primaryOf(monitor: ClusterMonitor, config: Config, shard: ShardId): NodeAddress | null {
  const state = monitor.shardStates().find((candidate) => candidate.shard === shard);
  return config.nodes.get(shard)?.find(({ id }) => id === state?.primary) ?? null;
}

/** The file was edited while pgweave did not run. */
async function demandNoneStranded(find: () => Promise<readonly StrandedRows[]>): Promise<void> {
  const remedy = 'pgweave serve --allow-stranded-rows starts all the same.';
  const found = await find().catch((error: unknown) => {
    throw error instanceof PgError ? uncheckedError(error, remedy) : error;
  });
  if (found.length > 0) throw strandedError(found, remedy);
}

/**
 * pgweave does not start on tables that it would answer wrongly from. Servers that cannot be read
 * yet are waited for later.
 */
async function demandFittingTables(
  reading: Promise<CatalogueReading>,
): Promise<CatalogueReading | null> {
  const read = await reading.catch(() => null);
  const mistakes = read?.mistakes ?? [];
  const errors = mistakes.filter(({ severity }) => severity === 'error').map(mistakeText);
  if (errors.length === 0) return read;
  throw new PgError(SqlState.configFileError, 'the tables do not fit the shard map', {
    detail: errors.join('\n'),
  });
}

/** Says once what is wrong with the servers' tables, and again when it comes back. */
function mistakeReporter(telemetry: Telemetry): (reading: CatalogueReading) => void {
  let told = new Set<string>();
  return ({ mistakes }) => {
    for (const mistake of mistakes) {
      const text = mistakeText(mistake);
      if (!told.has(text)) telemetry.log(mistake.severity === 'error' ? 'error' : 'warn', text);
    }
    told = new Set(mistakes.map(mistakeText));
  };
}
