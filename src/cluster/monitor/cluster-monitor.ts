import { randomInt, randomUUID } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import type { Config, NodeId } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import type { ClusterStatus } from '../cluster-status.ts';
import type { Rehearsal } from '../failover/dry-run.ts';
import type { CheckedFailover } from '../failover/failover-check.ts';
import type { FailoverEvent } from '../failover/failover-event.ts';
import type { FailoverJournal } from '../failover/failover-journal.ts';
import type { HookCall, HookOutcome } from '../failover/hook-call.ts';
import type { OperatorCommand } from '../failover/operator-command.ts';
import type { RecordStore, StoredRecord } from '../failover/record-store.ts';
import type { ShardState } from '../failover/shard-state.ts';
import { pause } from '../pause.ts';
import type { CommitQuestion } from '../transactions/commit-question.ts';
import type { TransactionOutcome } from '../transactions/transaction-outcome.ts';
import { ShardMonitor } from './shard-monitor.ts';

export type ClusterMonitorParts = {
  readonly config: Config;
  readonly store: RecordStore;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** All shards in map order, whenever one of them changed. */
  onShardStates(states: readonly ShardState[]): void;
  /** A primary was replaced. */
  onJournal?(entry: FailoverJournal): void;
  /** Some seconds later. */
  onChecked?(checked: CheckedFailover): void;
  /** Runs a program of the operator; never rejects. */
  runHook(call: HookCall): Promise<HookOutcome>;
};

const tickMs = 20;
/** A tick that is later than this means that we did not run, not that the servers were silent. */
const stallMs = 50;
/** Workers report bytes of the last 50 ms: that old is what they prove. */
const reportAgeMs = 50;
const startTimeoutMs = 5000;

/** Watches all nodes of all shards, and keeps one primary in each. Lives in the supervisor. */
export class ClusterMonitor {
  #parts: ClusterMonitorParts;
  #shards: ReadonlyMap<ShardId, ShardMonitor> = new Map();
  #tickedAt: number;
  readonly #supervisor = randomInt(2 ** 31);
  readonly #cancelTick: () => void;
  #whenPublished: () => void = () => {};

  private constructor(parts: ClusterMonitorParts) {
    this.#parts = parts;
    this.#tickedAt = parts.clock.now();
    this.#cancelTick = parts.clock.every(tickMs, () => this.#tick());
  }

  /** Resolves once every shard has a primary, or after a while without; 58030 for a bad record. */
  static async start(parts: ClusterMonitorParts): Promise<ClusterMonitor> {
    const monitor = new ClusterMonitor(parts);
    try {
      await monitor.reconfigure(parts.config);
      await monitor.#firstStates();
      return monitor;
    } catch (error) {
      await monitor.stop();
      throw error;
    }
  }

  shardStates(): readonly ShardState[] {
    return [...this.#shards.values()].map((shard) => shard.state);
  }

  status(): ClusterStatus {
    const shards = [...this.#shards.values()];
    return {
      shards: shards.map((shard) => shard.shardStatus()),
      nodes: shards.flatMap((shard) => shard.nodeStatuses()),
    };
  }

  /** A worker lost a connection to the node. */
  serverLost(node: NodeId): void {
    const at = this.#parts.clock.now();
    this.#shardOf(node)?.dispatch({ kind: 'lost', at, node });
  }

  /** Workers received bytes from these nodes within the last 50 ms. */
  proofOfLife(nodes: readonly NodeId[]): void {
    const at = this.#parts.clock.now();
    for (const node of nodes) {
      this.#shardOf(node)?.dispatch({ kind: 'life', at, node, heardAt: at - reportAgeMs });
    }
  }

  /**
   * By an operator's wish: a switchover without loss while the primary lives. With a dead primary
   * `allowDataLoss` promotes a standby that may lack acknowledged commits. Resolves with what was
   * done, in words; rejects with 55000 and the reason.
   */
  async command(shard: ShardId, command: OperatorCommand): Promise<string> {
    return await this.#monitorOf(shard).command(command);
  }

  /** What became of a COMMIT; null: it cannot be known. Never rejects. */
  async resolveCommit(question: CommitQuestion): Promise<TransactionOutcome | null> {
    const { clock, config } = this.#parts;
    const deadline = clock.now() + config.limits.holdMaxMs;
    for (;;) {
      const monitor = this.#shards.get(question.shard);
      const outcome = (await monitor?.resolveCommit(question)) ?? null;
      const isReplaced = monitor?.isStopped === true && clock.now() < deadline;
      if (outcome !== null || !isReplaced) return outcome;
      // Its successor is asked, which may not be there yet.
      await pause(clock, tickMs);
    }
  }

  /** What the command would come to now. Changes nothing. */
  rehearse(shard: ShardId, command: OperatorCommand): Rehearsal {
    return this.#monitorOf(shard).rehearse(command);
  }

  /**
   * Adopts other nodes or timings. Shards whose part did not change go on undisturbed. Rejects with
   * 58030 when a record cannot be read; nothing has changed then.
   */
  async reconfigure(config: Config): Promise<void> {
    const { store, config: last } = this.#parts;
    const kept = new Map([...this.#shards].filter(([shard]) => sameWatch(last, config, shard)));
    const ids = config.shardMap.shards;
    const changed = ids.filter((shard) => !kept.has(shard));
    for (const shard of changed) await store.load(shard);
    // Two machines must not run one shard, not even for a moment.
    for (const [shard, monitor] of this.#shards) {
      if (!kept.has(shard) || !ids.includes(shard)) await monitor.stop();
    }
    // Not those of before: the machines that are at rest now may have taken a step meanwhile.
    const records = new Map<ShardId, StoredRecord | null>();
    for (const shard of changed) records.set(shard, await store.load(shard));
    this.#parts = { ...this.#parts, config };
    const before = this.#shards;
    this.#shards = new Map(
      ids.map((shard) => [
        shard,
        kept.get(shard) ?? this.#startShard(shard, records.get(shard) ?? null, before.get(shard)),
      ]),
    );
    this.#publish();
  }

  async stop(): Promise<void> {
    this.#cancelTick();
    await Promise.all([...this.#shards.values()].map((shard) => shard.stop()));
  }

  #startShard(
    shard: ShardId,
    stored: StoredRecord | null,
    before: ShardMonitor | null = null,
  ): ShardMonitor {
    const { config, store, clock, telemetry } = this.#parts;
    return new ShardMonitor({
      supervisor: this.#supervisor,
      shard,
      config,
      store,
      stored,
      before,
      clock,
      telemetry,
      mintUuid: randomUUID,
      runHook: (call) => this.#parts.runHook(call),
      onState: () => this.#publish(),
      onJournal: (entry) => this.#journal(entry),
      onChecked: (checked) => this.#checked(checked),
    });
  }

  #publish(): void {
    if (this.#shards.size === 0) return;
    this.#parts.onShardStates(this.shardStates());
    this.#whenPublished();
  }

  async #firstStates(): Promise<void> {
    const known = () => this.shardStates().every((state) => state.primary !== null);
    if (known()) return;
    await new Promise<void>((resolve) => {
      this.#parts.clock.after(startTimeoutMs, resolve);
      this.#whenPublished = () => {
        if (known()) resolve();
      };
    });
    this.#whenPublished = () => {};
  }

  #journal(entry: FailoverJournal): void {
    const { telemetry, onJournal } = this.#parts;
    const since = (at: number) => Math.round(at - entry.suspectedAt);
    telemetry.log('warn', 'the primary was replaced', {
      shard: entry.shard,
      cause: entry.cause,
      from: entry.from,
      to: entry.to,
      epoch: entry.epoch,
      confirmedMs: since(entry.confirmedAt),
      claimedMs: since(entry.claimedAt),
      promotedMs: since(entry.promotedAt),
      openedMs: since(entry.openedAt),
      reason: entry.reason,
      findings: entry.findings,
    });
    if (entry.findings.length > 0) {
      const { shard, findings } = entry;
      telemetry.log('error', 'the new primary is not what it should be', { shard, findings });
    }
    onJournal?.(entry);
  }

  #checked(checked: CheckedFailover): void {
    const { telemetry, onChecked } = this.#parts;
    const { shard, epoch, check } = checked;
    const level = check.left.length === 0 ? 'info' : 'warn';
    telemetry.log(level, 'looked at the shard after its primary was replaced', {
      shard,
      epoch,
      ...check,
    });
    onChecked?.(checked);
  }

  #monitorOf(shard: ShardId): ShardMonitor {
    const monitor = this.#shards.get(shard);
    if (monitor !== undefined) return monitor;
    throw new PgError(SqlState.invalidParameterValue, `there is no shard "${shard}"`, {
      hint: 'see SHOW SHARDS',
    });
  }

  #tick(): void {
    const at = this.#parts.clock.now();
    const byMs = at - this.#tickedAt - tickMs;
    this.#tickedAt = at;
    const event: FailoverEvent =
      byMs > stallMs ? { kind: 'stalled', at, byMs } : { kind: 'tick', at };
    for (const shard of this.#shards.values()) shard.dispatch(event);
  }

  #shardOf(node: NodeId): ShardMonitor | null {
    for (const shard of this.#shards.values()) {
      if (shard.nodes.some(({ id }) => id === node)) return shard;
    }
    return null;
  }
}

/** Nothing that a shard's monitor depends on has changed. */
function sameWatch(before: Config, after: Config, shard: ShardId): boolean {
  const watched = ({
    nodes,
    externalShards,
    failover,
    controlUser,
    database,
    serverEncryption,
  }: Config) =>
    JSON.stringify([
      nodes.get(shard),
      externalShards.has(shard),
      failover,
      controlUser,
      database,
      serverEncryption,
    ]);
  return watched(before) === watched(after);
}
