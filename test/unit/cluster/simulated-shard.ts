import type {
  FailoverAction,
  FailoverTask,
} from '../../../src/cluster/failover/failover-action.ts';
import type { FailoverEvent, TaskResult } from '../../../src/cluster/failover/failover-event.ts';
import { step } from '../../../src/cluster/failover/failover-machine.ts';
import {
  beginFailover,
  type FailoverSettings,
  type FailoverState,
} from '../../../src/cluster/failover/failover-state.ts';
import { fencedNames } from '../../../src/cluster/failover/fence.ts';
import type { HookCall, HookOutcome } from '../../../src/cluster/failover/hook-call.ts';
import type { OperatorCommand } from '../../../src/cluster/failover/operator-command.ts';
import type { StoredRecord } from '../../../src/cluster/failover/record-store.ts';
import type { ShardRecord } from '../../../src/cluster/failover/shard-record.ts';
import type { ShardState } from '../../../src/cluster/failover/shard-state.ts';
import type { NodeId } from '../../../src/config/config.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import type { Random } from '../../support/random.ts';
import { SimulatedNode } from './simulated-node.ts';
import { beginArming, doWork, type SimulatedWorld } from './simulated-work.ts';

const sliceMs = 10;

type Timer = { readonly at: number; readonly order: number; readonly run: () => void };

/**
 * One shard, its machine and its clients in virtual time. It throws when a promise is broken: an
 * epoch with two primaries, a falling epoch, a published primary that lacks an acknowledged write, a
 * promotion that nobody may decide without an operator.
 */
export class SimulatedShard implements SimulatedWorld {
  now = 0;
  readonly nodes: readonly SimulatedNode[];
  readonly random: Random;
  readonly settings: FailoverSettings;
  state: FailoverState;
  stored: StoredRecord | null = null;
  published: ShardState | null = null;
  steps = 0;
  acknowledged: string[] = [];
  actions: FailoverAction[] = [];
  readonly #owners = new Map<number, NodeId>();
  readonly #uuids = new Map<number, string>();
  #timers: Timer[] = [];
  #nextAt = Infinity;
  #order = 0;
  #life = 1;
  #minted = 0;
  #writes = 0;
  #acknowledgedLsn = 0;
  #lossAllowed = false;
  /** Of a supervisor that does not run: what it will learn when it does again. */
  #missed: FailoverEvent[] | null = null;

  constructor(random: Random, nodeCount: number, settings: FailoverSettings) {
    this.random = random;
    this.settings = settings;
    const ids = Array.from({ length: nodeCount }, (_, index) => `node${index + 1}` as NodeId);
    this.nodes = ids.map((id, index) => new SimulatedNode(id, index > 0));
    for (const node of this.nodes.slice(1)) node.upstream = this.nodes[0] ?? null;
    this.state = this.#begin(null);
    this.#keepProbing();
  }

  node(id: string): SimulatedNode {
    const node = this.nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  /** Lets `durationMs` pass in small slices of replication, writes and timers. */
  run(durationMs: number): void {
    const end = this.now + durationMs;
    while (this.now < end) {
      this.now += sliceMs;
      for (const node of this.nodes) {
        if (node.status === 'starting' && this.now >= node.readyAt) node.status = 'running';
        const entriesMax = this.random.integer(0, 5);
        node.replicate(this.now, node.slow ? entriesMax % 2 : entriesMax);
      }
      this.#write();
      this.#acknowledge();
      this.#runTimers();
    }
  }

  /** The supervisor is killed and starts again: nothing is left but the durable record. */
  restartSupervisor(): void {
    this.#beginAnew(null);
    this.published = null;
  }

  /** Its configuration changes: the work at hand is forgotten, what was seen and told is not. */
  reload(): void {
    if (this.#missed === null) this.#beginAnew(this.state);
  }

  #beginAnew(before: FailoverState | null): void {
    this.#life += 1;
    this.#timers = [];
    this.#nextAt = Infinity;
    this.#missed = null;
    this.state = this.#begin(before);
    this.#keepProbing();
  }

  /** The supervisor does not run for a while, and then learns everything at once. */
  pauseSupervisor(durationMs: number): void {
    if (this.#missed !== null) return;
    this.#missed = [];
    this.#later(durationMs, () => {
      const missed = this.#missed ?? [];
      this.#missed = null;
      this.dispatch({ kind: 'stalled', at: this.now, byMs: durationMs });
      for (const event of missed) this.dispatch({ ...event, at: this.now });
    });
  }

  order(command: OperatorCommand): void {
    if (this.#missed !== null || this.state.request !== null) return;
    this.#lossAllowed = command.kind === 'failover' && command.allowDataLoss;
    this.dispatch({ kind: 'operator', at: this.now, command });
  }

  kill(node: SimulatedNode): void {
    node.stop();
    if (!node.reachable) return;
    this.#later(this.random.integer(1, 15), () =>
      this.dispatch({ kind: 'lost', at: this.now, node: node.id }),
    );
  }

  dispatch(event: FailoverEvent): void {
    if (this.#missed !== null) {
      this.#missed.push(event);
      return;
    }
    this.steps += 1;
    const result = step(this.state, event, () => `uuid${this.#life}-${++this.#minted}`);
    this.state = result.state;
    for (const action of result.actions) this.#perform(action);
  }

  #begin(before: FailoverState | null): FailoverState {
    return beginFailover({
      shard: 'a' as ShardId,
      nodes: this.nodes.map((node) => node.id),
      settings: this.settings,
      mode: 'failover',
      stored: this.stored,
      before,
      now: this.now,
    });
  }

  #keepProbing(): void {
    this.#later(20, () => {
      this.dispatch({ kind: 'tick', at: this.now });
      this.#keepProbing();
    });
    if (this.#order % 5 === 0) for (const node of this.nodes) this.#probe(node, 0);
    if (this.#order % 20 === 0) this.#beat();
  }

  #beat(): void {
    const { published } = this;
    if (published?.primary == null || this.#acknowledgedLsn === 0) return;
    const about = { at: this.now, node: published.primary };
    const acknowledgedLsn = BigInt(this.#acknowledgedLsn);
    this.dispatch({ kind: 'heartbeat', ...about, acknowledgedLsn, isRivalled: false });
  }

  #probe(node: SimulatedNode, afterMs: number): void {
    const askedAt = this.now + afterMs;
    const delay = () => this.random.integer(1, 10);
    this.#later(afterMs + delay(), () => {
      const lost = !node.reachable || this.random.fraction() < 0.02;
      if (lost || node.status === 'frozen') return;
      const about = { at: this.now, node: node.id };
      if (node.status === 'running') {
        const answer = node.answer(this.now, this.nodes);
        this.#later(delay(), () =>
          this.dispatch({ kind: 'answer', ...about, at: this.now, askedAt, answer }),
        );
      } else {
        const outcome = node.status === 'starting' ? 'starting' : 'refused';
        this.dispatch({ kind: 'connect', ...about, outcome });
      }
    });
  }

  #perform(action: FailoverAction): void {
    this.actions.push(action);
    if (process.env['SIMULATION_SEED'] !== undefined) this.#trace(action);
    switch (action.kind) {
      case 'publish':
        this.#publish(action.state);
        return;
      case 'probe':
        this.#probe(this.node(action.node), action.afterMs);
        return;
      case 'fence': {
        const node = this.node(action.node);
        if (node.running && node.reachable) node.names = fencedNames;
        return;
      }
      case 'repoint':
        this.#later(this.random.integer(1, 60), () => this.#repoint(action.node, action.primary));
        return;
      case 'hook':
        this.#later(this.random.integer(50, 800), () => this.#hook(action.call));
        return;
      case 'answer-operator':
        // What was not answered in time may have been written all the same.
        if (action.answer.kind === 'refused' && !/could not/.test(action.answer.reason)) {
          this.#lossAllowed = false;
        }
        return;
      case 'journal':
        this.#checkFindings(action);
        return;
      case 'start':
        this.#start(action.task, action.work);
        return;
      case 'open-sessions':
      case 'checked':
      case 'log':
        return;
    }
  }

  /** For whoever looks at one seed. */
  #trace(action: FailoverAction): void {
    if (action.kind === 'probe' || action.kind === 'hook') return;
    const nodes = this.nodes.map(({ id, log, names, status, upstream, inRecovery, reachable }) => {
      const role = inRecovery ? `<${upstream?.id ?? '-'}` : `[${names}]`;
      return `${id} ${status}${reachable ? '' : ' cut'} ${role} ${log.length}`;
    });
    const text = JSON.stringify(action, (_, value) =>
      typeof value === 'bigint' ? Number(value) : value,
    );
    process.stdout.write(`${this.now} ${text.slice(0, 420)} | ${nodes.join(' | ')}\n`);
  }

  /** The work takes a while, its answer takes another; either may be lost. */
  #start(task: number, work: FailoverTask): void {
    if (work.kind === 'save') this.#checkClaim(work.record);
    const delayMs = this.random.integer(1, 60);
    if (work.kind === 'arm') this.#later(delayMs, () => beginArming(this, work));
    this.#later(work.kind === 'arm' ? delayMs + 100 : delayMs, () => {
      const chance = this.random.fraction();
      const lost: TaskResult = { kind: 'failed', reason: 'lost' };
      const result = chance < 0.03 ? lost : doWork(this, work);
      const reported = chance < 0.08 ? lost : result;
      this.#later(this.random.integer(0, 20), () =>
        this.dispatch({ kind: 'task', at: this.now, task, result: reported }),
      );
    });
  }

  #repoint(id: NodeId, primary: NodeId): void {
    const node = this.node(id);
    if (!node.running || !node.reachable || !node.inRecovery) return;
    node.upstream = this.node(primary);
    node.revoked = false;
  }

  #hook({ hook, node: id, primary }: HookCall): void {
    if (hook !== 'rejoin' || primary === null) return;
    const source = this.node(primary);
    const chance = this.random.fraction();
    const outcome: HookOutcome =
      chance < 0.2 || !source.running || source.inRecovery
        ? { kind: chance < 0.1 ? 'failed' : 'later', reason: 'no' }
        : { kind: 'done' };
    if (outcome.kind === 'done') this.node(id).becomeStandbyOf(source, this.now);
    this.dispatch({ kind: 'rejoined', at: this.now, node: id, outcome });
  }

  /** Nobody is promoted by itself who may lack something. */
  #checkClaim(record: ShardRecord): void {
    const { phase } = this.state;
    if (phase.kind !== 'claiming' || phase.cause !== 'failure') return;
    const { durability } = record;
    const wanted = this.settings.durability === 'async' ? 'async' : 'armed';
    if (durability.kind !== wanted) throw new Error(`promotes by itself while ${durability.kind}`);
    if (record.paused) throw new Error('promotes by itself while paused');
  }

  #checkFindings({ entry }: FailoverAction & { readonly kind: 'journal' }): void {
    const safe = this.settings.durability !== 'async' && !this.#lossAllowed;
    if (safe && entry.findings.length > 0) throw new Error(`found: ${entry.findings.join('; ')}`);
  }

  #publish(state: ShardState): void {
    if (this.published !== null && state.epoch < this.published.epoch) {
      throw new Error(`epoch fell from ${this.published.epoch} to ${state.epoch}`);
    }
    if (state.epoch !== this.published?.epoch) this.#acknowledgedLsn = 0;
    this.published = state;
    if (state.primary === null) return;
    const owner = this.#owners.get(state.epoch) ?? state.primary;
    if (owner !== state.primary) throw new Error(`epoch ${state.epoch} has two primaries`);
    this.#owners.set(state.epoch, owner);
    const uuid = this.state.record?.uuid ?? '';
    if ((this.#uuids.get(state.epoch) ?? uuid) !== uuid) {
      throw new Error(`epoch ${state.epoch} has two uuids`);
    }
    this.#uuids.set(state.epoch, uuid);
    this.#checkNothingLost(state.primary);
  }

  #checkNothingLost(primary: NodeId): void {
    const log = new Set(this.node(primary).log);
    const missing = this.acknowledged.filter((entry) => !log.has(entry));
    if (missing.length === 0) return;
    if (!this.#lossAllowed && this.settings.durability !== 'async') {
      throw new Error(`${primary} lacks ${missing.length} writes, first ${missing[0]}`);
    }
    this.acknowledged = this.acknowledged.filter((entry) => log.has(entry));
  }

  /** A client writes on the primary that it was told; nobody else is written to. */
  #write(): void {
    const { published } = this;
    if (published?.primary == null || this.random.fraction() < 0.3) return;
    const node = this.node(published.primary);
    if (!node.running || node.inRecovery || node.waiting.length >= 10) return;
    const entry = `write${++this.#writes}`;
    node.append([entry]);
    node.waiting.push({ lsn: node.log.length, entry, epoch: published.epoch });
  }

  #acknowledge(): void {
    for (const node of this.nodes) {
      if (!node.running || node.waiting.length === 0) continue;
      const done = node.waiting.filter(({ lsn }) => node.commitDone(lsn, this.nodes));
      node.waiting = node.waiting.filter((write) => !done.includes(write));
      // After a cut the answer of an old connection is not believed.
      const believed = done.filter(({ epoch }) => epoch === this.published?.epoch);
      this.acknowledged.push(...believed.map(({ entry }) => entry));
      for (const { lsn } of believed) this.#acknowledgedLsn = Math.max(this.#acknowledgedLsn, lsn);
    }
    if (this.acknowledged.length > 200) this.acknowledged = this.acknowledged.slice(-200);
  }

  #later(delayMs: number, run: () => void): void {
    this.#order += 1;
    const at = this.now + delayMs;
    this.#timers.push({ at, order: this.#order, run });
    this.#nextAt = Math.min(this.#nextAt, at);
  }

  #runTimers(): void {
    if (this.#nextAt > this.now) return;
    const due = this.#timers
      .filter((timer) => timer.at <= this.now)
      .sort((a, b) => a.at - b.at || a.order - b.order);
    this.#timers = this.#timers.filter((timer) => timer.at > this.now);
    this.#nextAt = Math.min(...this.#timers.map(({ at }) => at));
    const life = this.#life;
    for (const timer of due) if (life === this.#life) timer.run();
  }
}
