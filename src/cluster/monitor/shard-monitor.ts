import { unreachable } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Telemetry } from '../../base/telemetry.ts';
import type { Config, NodeAddress, NodeId } from '../../config/config.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { readNodes, readShard } from '../cluster-reading.ts';
import type { NodeStatus, ShardStatus } from '../cluster-status.ts';
import { type ControlLogin, controlLogin } from '../control-connection.ts';
import { type Rehearsal, rehearse } from '../failover/dry-run.ts';
import type { FailoverAction, FailoverTask } from '../failover/failover-action.ts';
import type { CheckedFailover } from '../failover/failover-check.ts';
import type { FailoverEvent, TaskResult } from '../failover/failover-event.ts';
import type { FailoverJournal } from '../failover/failover-journal.ts';
import { failoverLimits } from '../failover/failover-limits.ts';
import { step } from '../failover/failover-machine.ts';
import {
  beginFailover,
  type FailoverSettings,
  type FailoverState,
} from '../failover/failover-state.ts';
import type { HookCall, HookOutcome } from '../failover/hook-call.ts';
import type { OperatorAnswer, OperatorCommand } from '../failover/operator-command.ts';
import type { RecordStore, StoredRecord } from '../failover/record-store.ts';
import type { ShardState } from '../failover/shard-state.ts';
import { pause } from '../pause.ts';
import type { CommitQuestion } from '../transactions/commit-question.ts';
import { CommitResolution } from '../transactions/commit-resolution.ts';
import type { TransactionOutcome } from '../transactions/transaction-outcome.ts';
import { Heartbeat } from './heartbeat.ts';
import { NodeProbe } from './node-probe.ts';
import { TaskRunner } from './task-runner.ts';

export type ShardMonitorParts = {
  /** See HeartbeatParts. */
  readonly supervisor: number;
  readonly shard: ShardId;
  readonly config: Config;
  readonly store: RecordStore;
  /** What the store holds for the shard. */
  readonly stored: StoredRecord | null;
  /** The one whose place it takes, at rest; null: there was none. */
  readonly before: ShardMonitor | null;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly mintUuid: () => string;
  /** Never rejects. */
  readonly runHook: (call: HookCall) => Promise<HookOutcome>;
  onState(state: ShardState): void;
  onJournal(entry: FailoverJournal): void;
  onChecked(checked: CheckedFailover): void;
};

type Waiting = {
  readonly resolve: (message: string) => void;
  readonly reject: (error: PgError) => void;
};

/** How long a monitor that is stopped waits for a promotion under way. */
const installMs = 1000;

/** Runs one shard's machine: turns the world into events, and actions into commands. */
export class ShardMonitor {
  readonly #parts: ShardMonitorParts;
  readonly #login: ControlLogin;
  readonly #nodes: readonly NodeAddress[];
  readonly #runner: TaskRunner;
  readonly #heartbeat: Heartbeat | null;
  readonly #commits: CommitResolution;
  readonly #probes = new Map<NodeId, NodeProbe>();
  readonly #events: FailoverEvent[] = [];
  #saving: Promise<void> = Promise.resolve();
  #installing: Promise<void> | null = null;
  #state: FailoverState;
  #dispatching = false;
  #stopped = false;
  #waiting: Waiting | null = null;

  constructor(parts: ShardMonitorParts) {
    const { config, shard, clock, stored, before } = parts;
    const { failover } = config;
    this.#parts = parts;
    this.#nodes = config.nodes.get(shard) ?? [];
    this.#login = controlLogin(config);
    this.#runner = new TaskRunner({
      ...parts,
      nodes: this.#nodes,
      login: this.#login,
      promoteTimeoutMs: failover.promoteTimeoutMs,
    });
    const isOurs = failover.enabled && !config.externalShards.has(shard);
    const mode = isOurs && this.#nodes.length > 1 ? 'failover' : 'follow';
    this.#state = beginFailover({
      shard,
      nodes: this.#nodes.map((node) => node.id),
      settings: settingsOf(config),
      mode,
      stored: mode === 'failover' ? stored : null,
      before: before === null ? null : before.#state,
      now: clock.now(),
    });
    this.#commits = new CommitResolution({
      nodes: this.#nodes,
      login: this.#login,
      clock,
      state: () => this.#state,
      isStopped: () => this.#stopped,
      patienceMs: config.limits.holdMaxMs,
    });
    for (const node of this.#nodes) this.#probes.set(node.id, this.#startProbe(node));
    this.#heartbeat = mode === 'failover' ? this.#startHeartbeat() : null;
  }

  get state(): ShardState {
    const { published, shard } = this.#state;
    return (
      published ?? {
        shard,
        epoch: 0,
        primary: null,
        heir: null,
        standbys: [],
        identity: null,
        reason: 'looking for the primary',
      }
    );
  }

  get nodes(): readonly NodeAddress[] {
    return this.#nodes;
  }

  shardStatus(): ShardStatus {
    return readShard(this.#state, this.#parts.clock.now());
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

  /** See ClusterMonitor.command. */
  command(command: OperatorCommand): Promise<string> {
    if (this.#waiting !== null) {
      return Promise.reject(notNow('another command for this shard is under way'));
    }
    const { clock, config } = this.#parts;
    return new Promise((resolve, reject) => {
      const patienceMs = config.failover.promoteTimeoutMs + 15_000;
      const cancelTimer = clock.after(patienceMs, () => {
        this.#answerOperator({
          kind: 'refused',
          reason: 'it is not finished yet',
          hint: 'see SHOW SHARDS',
        });
      });
      this.#waiting = {
        resolve: (message) => {
          cancelTimer();
          resolve(message);
        },
        reject: (error) => {
          cancelTimer();
          reject(error);
        },
      };
      this.dispatch({ kind: 'operator', at: clock.now(), command });
    });
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** What became of a COMMIT; null: it cannot be known, or it was stopped. Never rejects. */
  resolveCommit(question: CommitQuestion): Promise<TransactionOutcome | null> {
    return this.#commits.resolve(question);
  }

  /** What the command would do now. Changes nothing. */
  rehearse(command: OperatorCommand): Rehearsal {
    return rehearse(this.#state, command, this.#parts.clock.now());
  }

  /**
   * Resolves when the record is at rest. Work on a server may still end after that: a successor of
   * this monitor would do the same work again, or waits for it at the server's lock.
   */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const probe of this.#probes.values()) probe.stop();
    this.#heartbeat?.stop();
    this.#runner.stop();
    this.#answerOperator({
      kind: 'refused',
      reason: 'interrupted by a reload, or by the end of pgweave',
      hint: 'see SHOW SHARDS: it may have taken effect all the same',
    });
    // What a promotion says of the transactions before it is told only once.
    const installing = this.#installing;
    if (installing !== null) await Promise.race([installing, pause(this.#parts.clock, installMs)]);
    await this.#saving;
  }

  #take(event: FailoverEvent): void {
    // How the work at hand ends is still heard: it may have opened the shard.
    if (this.#stopped && event.kind !== 'task') return;
    const { state, actions } = step(this.#state, event, this.#parts.mintUuid);
    this.#state = state;
    this.#heartbeat?.beatOn(this.#openPrimary());
    if (state.phase.kind === 'open' && state.task === null) this.#runner.dropSessions();
    for (const action of actions) if (!this.#stopped || isNews(action)) this.#perform(action);
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

  #startHeartbeat(): Heartbeat {
    const { clock, config, supervisor } = this.#parts;
    return new Heartbeat({
      supervisor,
      login: this.#login,
      clock,
      intervalMs: config.failover.heartbeatIntervalMs,
      lateMs: failoverLimits.heartbeatLateMs,
      onAcknowledged: ({ id: node }, acknowledgedLsn, isRivalled) => {
        const at = clock.now();
        this.dispatch({ kind: 'heartbeat', at, node, acknowledgedLsn, isRivalled });
      },
      onLate: ({ id }, sentAt) =>
        this.dispatch({ kind: 'heartbeat-late', at: clock.now(), node: id, sentAt }),
    });
  }

  #openPrimary(): NodeAddress | null {
    const { phase, record } = this.#state;
    if (phase.kind !== 'open') return null;
    return this.#nodes.find(({ id }) => id === record?.primary) ?? null;
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
      case 'open-sessions':
        this.#runner.openSessions(action.nodes);
        return;
      case 'fence':
        this.#attempt('fence a quarantined node', action.node, this.#runner.fence(action.node));
        return;
      case 'repoint':
        this.#attempt(
          'point a standby to the primary',
          action.node,
          this.#runner.repoint(action.node, action.primary),
        );
        return;
      case 'hook':
        this.#runHook(action.call);
        return;
      case 'answer-operator':
        this.#answerOperator(action.answer);
        return;
      case 'journal':
        this.#parts.onJournal(action.entry);
        return;
      case 'checked':
        this.#parts.onChecked(action);
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
    const running = this.#runner.run(work).then(report, (error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      report({ kind: 'failed', reason });
    });
    if (work.kind === 'save') this.#saving = running;
    if (work.kind === 'install') {
      this.#installing = running.finally(() => {
        this.#installing = null;
      });
    }
  }

  /** Best effort: the machine asks again while it sees the need. */
  #attempt(what: string, node: NodeId, work: Promise<void>): void {
    const { telemetry, shard } = this.#parts;
    work.catch((error: unknown) => {
      telemetry.log('warn', `could not ${what}`, { shard, node, error });
    });
  }

  #runHook(call: HookCall): void {
    const { telemetry, clock, runHook } = this.#parts;
    const { primary } = call;
    const ready =
      call.hook === 'rejoin' && primary !== null
        ? this.#runner.checkpoint(primary)
        : Promise.resolve();
    // Neither of the two rejects.
    void ready
      .then(() => runHook(call))
      .then((outcome) => {
        const { hook, node, shard } = call;
        if (hook === 'rejoin') this.dispatch({ kind: 'rejoined', at: clock.now(), node, outcome });
        else if (outcome.kind !== 'done') {
          telemetry.log('error', `the ${hook} hook failed`, { shard, node, ...outcome });
        }
      });
  }

  #answerOperator(answer: OperatorAnswer): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (answer.kind === 'done') waiting?.resolve(answer.message);
    else waiting?.reject(notNow(answer.reason, answer.hint));
  }
}

/** It tells what has happened; everything else begins something. */
function isNews({ kind }: FailoverAction): boolean {
  return kind === 'publish' || kind === 'journal' || kind === 'checked' || kind === 'log';
}

function settingsOf({ failover }: Config): FailoverSettings {
  const { hooks } = failover;
  const fence = hooks.fenceRequired ? 'required' : 'best_effort';
  return {
    ...failover,
    fence: hooks.fence === null ? 'none' : fence,
    rejoin: hooks.rejoin !== null,
    notify: hooks.notify !== null,
  };
}

function notNow(reason: string, hint?: string): PgError {
  return new PgError(SqlState.objectNotInPrerequisiteState, reason, { hint });
}
