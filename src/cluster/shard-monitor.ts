import { unreachable } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { Config, NodeAddress, NodeId } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { readNodes, readShard } from './cluster-reading.ts';
import type { NodeStatus, ShardStatus } from './cluster-status.ts';
import type { ControlLogin } from './control-connection.ts';
import type { FailoverAction, FailoverTask, OperatorRefusal } from './failover-action.ts';
import type { FailoverEvent, TaskResult } from './failover-event.ts';
import type { FailoverJournal } from './failover-journal.ts';
import { step } from './failover-machine.ts';
import { beginFailover, type FailoverState } from './failover-state.ts';
import { installPrimary } from './install-primary.ts';
import { NodeCommands } from './node-commands.ts';
import { NodeProbe } from './node-probe.ts';
import type { RecordStore, StoredRecord } from './record-store.ts';
import type { ShardState } from './shard-state.ts';

export type ShardMonitorParts = {
  readonly shard: ShardId;
  readonly config: Config;
  readonly store: RecordStore;
  /** What the store holds for the shard. */
  readonly stored: StoredRecord | null;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly mintUuid: () => string;
  onState(state: ShardState): void;
  onJournal(entry: FailoverJournal): void;
};

type Waiting = {
  readonly resolve: (primary: NodeId) => void;
  readonly reject: (error: PgError) => void;
};

/** Runs one shard's machine: turns the world into events, and actions into commands. */
export class ShardMonitor {
  readonly #parts: ShardMonitorParts;
  readonly #login: ControlLogin;
  readonly #nodes: readonly NodeAddress[];
  readonly #commands: NodeCommands;
  readonly #probes = new Map<NodeId, NodeProbe>();
  readonly #events: FailoverEvent[] = [];
  #saving: Promise<void> = Promise.resolve();
  #state: FailoverState;
  #dispatching = false;
  #stopped = false;
  #waiting: Waiting | null = null;

  constructor(parts: ShardMonitorParts) {
    const { config, shard, clock, stored } = parts;
    const { failover, controlUser, database } = config;
    this.#parts = parts;
    this.#nodes = config.nodes.get(shard) ?? [];
    this.#login = { database, user: controlUser.name, password: controlUser.password };
    this.#commands = new NodeCommands({ login: this.#login, clock });
    const mode = failover.enabled && this.#nodes.length > 1 ? 'failover' : 'follow';
    this.#state = beginFailover({
      shard,
      nodes: this.#nodes.map((node) => node.id),
      settings: failover,
      mode,
      stored: mode === 'failover' ? stored : null,
      now: clock.now(),
    });
    for (const node of this.#nodes) this.#probes.set(node.id, this.#startProbe(node));
  }

  get state(): ShardState {
    const { published, shard } = this.#state;
    return (
      published ?? {
        shard,
        epoch: 0,
        primary: null,
        standbys: [],
        reason: 'looking for the primary',
      }
    );
  }

  get nodes(): readonly NodeAddress[] {
    return this.#nodes;
  }

  shardStatus(): ShardStatus {
    return readShard(this.#state);
  }

  nodeStatuses(): readonly NodeStatus[] {
    return readNodes(this.#state, this.#parts.clock.now());
  }

  dispatch(event: FailoverEvent): void {
    this.#events.push(event);
    if (this.#dispatching) return;
    this.#dispatching = true;
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        this.#take(next);
      }
    } finally {
      this.#dispatching = false;
    }
  }

  /** See ClusterMonitor.failover. */
  failover(allowDataLoss: boolean): Promise<NodeId> {
    if (this.#waiting !== null) {
      return Promise.reject(notNow('a failover of this shard is under way already'));
    }
    const { clock, config } = this.#parts;
    return new Promise((resolve, reject) => {
      const patienceMs = config.failover.promoteTimeoutMs + 15_000;
      const cancelTimer = clock.after(patienceMs, () => {
        this.#answerOperator({ reason: 'it is not finished yet', hint: 'see SHOW SHARDS' });
      });
      this.#waiting = {
        resolve: (primary) => {
          cancelTimer();
          resolve(primary);
        },
        reject: (error) => {
          cancelTimer();
          reject(error);
        },
      };
      this.dispatch({ kind: 'failover-requested', at: clock.now(), allowDataLoss });
    });
  }

  /**
   * Resolves when the record is at rest. Work on a server may still end after that: a successor of
   * this monitor would do the same work again, or waits for it at the server's lock.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const probe of this.#probes.values()) probe.stop();
    this.#answerOperator({ reason: 'pgweave is stopping', hint: undefined });
    await this.#saving;
  }

  #take(event: FailoverEvent): void {
    if (this.#stopped) return;
    const { state, actions } = step(this.#state, event, this.#parts.mintUuid);
    this.#state = state;
    for (const action of actions) this.#perform(action);
  }

  #startProbe(node: NodeAddress): NodeProbe {
    const { clock, telemetry, config } = this.#parts;
    const now = () => clock.now();
    return new NodeProbe({
      node,
      login: this.#login,
      clock,
      telemetry,
      intervalMs: config.failover.probeIntervalMs,
      connectTimeoutMs: config.failover.hangMs,
      onAnswer: (answer, askedAt) =>
        this.dispatch({ kind: 'answer', at: now(), node: node.id, answer, askedAt }),
      onConnect: (outcome) => this.dispatch({ kind: 'connect', at: now(), node: node.id, outcome }),
      onLost: () => this.dispatch({ kind: 'lost', at: now(), node: node.id }),
    });
  }

  #perform(action: FailoverAction): void {
    const { telemetry, clock } = this.#parts;
    switch (action.kind) {
      case 'start':
        this.#start(action.task, action.work);
        return;
      case 'publish':
        this.#parts.onState(action.state);
        return;
      case 'probe': {
        const probe = this.#probes.get(action.node);
        if (action.afterMs === 0) probe?.probe();
        else clock.after(action.afterMs, () => probe?.probe());
        return;
      }
      case 'fence':
        this.#fence(action.node);
        return;
      case 'answer-operator':
        this.#answerOperator(action.refusal);
        return;
      case 'journal':
        this.#parts.onJournal(action.entry);
        return;
      case 'log':
        telemetry.log(action.level, action.message, action.fields);
        return;
      default:
        unreachable(action);
    }
  }

  #start(task: number, work: FailoverTask): void {
    const report = (result: TaskResult) =>
      this.dispatch({ kind: 'task', at: this.#parts.clock.now(), task, result });
    const running = this.#run(work).then(report, (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      report({ kind: 'failed', reason });
    });
    if (work.kind === 'save') this.#saving = running;
  }

  async #run(work: FailoverTask): Promise<TaskResult> {
    switch (work.kind) {
      case 'save':
        return await this.#save(work);
      case 'install': {
        const { clock, config } = this.#parts;
        const installed = await installPrimary({
          node: this.#address(work.intent.candidate),
          intent: work.intent,
          emptyNames: work.emptyNames,
          login: this.#login,
          clock,
          promoteTimeoutMs: config.failover.promoteTimeoutMs,
        });
        return { kind: 'installed', ...installed };
      }
      case 'drain':
        await this.#commands.drain(this.#address(work.primary), this.#address(work.candidate));
        return { kind: 'drained' };
      case 'arm': {
        const primary = this.#address(work.primary);
        const startedAt = await this.#commands.arm(primary, work.applicationName);
        return { kind: 'armed', startedAt };
      }
      case 'disarm':
        await this.#commands.disarm(this.#address(work.primary));
        return { kind: 'disarmed' };
      default:
        return unreachable(work);
    }
  }

  async #save(work: FailoverTask & { readonly kind: 'save' }): Promise<TaskResult> {
    const { store, shard } = this.#parts;
    const revision = await store.save(work.record, work.expected);
    if (revision !== null) return { kind: 'saved', revision };
    return { kind: 'outdated', stored: await store.load(shard) };
  }

  #fence(id: NodeId): void {
    const { telemetry, shard } = this.#parts;
    this.#commands.fence(this.#address(id)).catch((error: unknown) => {
      telemetry.log('warn', 'could not fence a quarantined node', { shard, node: id, error });
    });
  }

  #answerOperator(refusal: OperatorRefusal | null): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (waiting === null) return;
    const { primary } = this.#state.record ?? {};
    if (refusal === null && primary !== undefined) waiting.resolve(primary);
    else waiting.reject(notNow(refusal?.reason ?? 'the primary is not known', refusal?.hint));
  }

  #address(id: NodeId): NodeAddress {
    const node = this.#nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw notNow(`${id} is no longer configured`);
    return node;
  }
}

function notNow(reason: string, hint?: string): PgError {
  return new PgError(SqlState.objectNotInPrerequisiteState, reason, { hint });
}
