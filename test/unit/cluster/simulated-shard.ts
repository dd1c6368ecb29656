import type { FailoverAction, FailoverTask } from '../../../src/cluster/failover-action.ts';
import type { FailoverEvent, TaskResult } from '../../../src/cluster/failover-event.ts';
import { step } from '../../../src/cluster/failover-machine.ts';
import { beginFailover, type FailoverState } from '../../../src/cluster/failover-state.ts';
import { fencedNames } from '../../../src/cluster/fence.ts';
import type { StoredRecord } from '../../../src/cluster/record-store.ts';
import type { ShardState } from '../../../src/cluster/shard-state.ts';
import { namesFor } from '../../../src/cluster/synchronous-names.ts';
import type { NodeId } from '../../../src/config/config.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import type { Random } from '../../support/random.ts';
import { SimulatedNode } from './simulated-node.ts';

const settings = {
  suspectAfterMs: 250,
  hangMs: 700,
  restartGraceMs: 500,
  promoteTimeoutMs: 5000,
  cooldownMs: 1000,
};

type Timer = { readonly at: number; readonly order: number; readonly run: () => void };

/**
 * One shard, its machine and its clients in virtual time. It throws when a promise is broken: an
 * epoch with two primaries, a falling epoch, or a published primary that lacks an acknowledged write.
 */
export class SimulatedShard {
  now = 0;
  readonly nodes: readonly SimulatedNode[];
  readonly random: Random;
  state: FailoverState;
  stored: StoredRecord | null = null;
  published: ShardState | null = null;
  steps = 0;
  acknowledged: string[] = [];
  actions: FailoverAction[] = [];
  readonly #owners = new Map<number, NodeId>();
  #timers: Timer[] = [];
  #order = 0;
  #life = 1;
  #uuids = 0;
  #writes = 0;

  constructor(random: Random, nodeCount: number) {
    this.random = random;
    const ids = Array.from({ length: nodeCount }, (_, index) => `node${index + 1}` as NodeId);
    this.nodes = ids.map((id, index) => new SimulatedNode(id, index > 0));
    for (const node of this.nodes.slice(1)) node.upstream = this.nodes[0] ?? null;
    this.state = this.#begin();
    this.#keepProbing();
  }

  node(id: NodeId): SimulatedNode {
    const node = this.nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw new Error(`no node ${id}`);
    return node;
  }

  /** Lets `durationMs` pass in small slices of replication, writes and timers. */
  run(durationMs: number): void {
    const end = this.now + durationMs;
    while (this.now < end) {
      this.now += 5;
      for (const node of this.nodes) {
        if (node.status === 'starting' && this.now >= node.readyAt) node.status = 'running';
        node.replicate(this.now, this.random.integer(0, 3));
      }
      this.#write();
      this.#acknowledge();
      this.#runTimers();
    }
  }

  /** The supervisor is killed and starts again: nothing is left but the durable record. */
  restartSupervisor(): void {
    this.#life += 1;
    this.#timers = [];
    this.state = this.#begin();
    this.published = null;
    this.#keepProbing();
  }

  kill(node: SimulatedNode): void {
    node.stop();
    if (node.reachable) {
      this.#later(this.random.integer(1, 15), () =>
        this.dispatch({ kind: 'lost', at: this.now, node: node.id }),
      );
    }
  }

  dispatch(event: FailoverEvent): void {
    this.steps += 1;
    const result = step(this.state, event, () => `uuid${this.#life}-${++this.#uuids}`);
    this.state = result.state;
    for (const action of result.actions) this.#perform(action);
  }

  #begin(): FailoverState {
    return beginFailover({
      shard: 'a' as ShardId,
      nodes: this.nodes.map((node) => node.id),
      settings,
      mode: 'failover',
      stored: this.stored,
      now: this.now,
    });
  }

  #keepProbing(): void {
    this.#later(20, () => {
      this.dispatch({ kind: 'tick', at: this.now });
      this.#keepProbing();
    });
    if (this.#order % 5 === 0) for (const node of this.nodes) this.#probe(node, 0);
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
    if (action.kind === 'publish') this.#publish(action.state);
    if (action.kind === 'probe') this.#probe(this.node(action.node), action.afterMs);
    if (action.kind === 'fence') {
      const node = this.node(action.node);
      if (node.running && node.reachable) node.names = fencedNames;
    }
    if (action.kind !== 'start') return;
    // The work takes a while, its answer takes another, and either may be lost.
    const { task, work } = action;
    this.#later(this.random.integer(1, 60), () => {
      const result = this.#work(work);
      const reported: TaskResult =
        this.random.fraction() < 0.05 ? { kind: 'failed', reason: 'answer lost' } : result;
      this.#later(this.random.integer(0, 20), () =>
        this.dispatch({ kind: 'task', at: this.now, task, result: reported }),
      );
    });
  }

  #work(work: FailoverTask): TaskResult {
    switch (work.kind) {
      case 'save':
        return this.#save(work);
      case 'install':
        return this.#install(work);
      default:
        return this.#configure(work);
    }
  }

  #configure(work: Exclude<FailoverTask, { readonly kind: 'save' | 'install' }>): TaskResult {
    const primary = this.node(work.primary);
    if (!primary.running || !primary.reachable) return { kind: 'failed', reason: 'no answer' };
    switch (work.kind) {
      case 'disarm':
        primary.names = '';
        return { kind: 'disarmed' };
      case 'arm': {
        primary.names = namesFor(work.applicationName);
        const standby = this.node(work.applicationName as NodeId);
        const caughtUp = standby.streams && standby.log.length >= primary.log.length;
        return caughtUp
          ? { kind: 'armed', startedAt: String(primary.starts) }
          : { kind: 'failed', reason: 'the standby lags' };
      }
      case 'drain': {
        primary.names = fencedNames;
        primary.waiting = [];
        const candidate = this.node(work.candidate);
        const complete = candidate.streams && candidate.log.length >= primary.log.length;
        return complete ? { kind: 'drained' } : { kind: 'failed', reason: 'the standby lags' };
      }
    }
  }

  #save({ record, expected }: FailoverTask & { readonly kind: 'save' }): TaskResult {
    if ((this.stored?.revision ?? 0) !== expected) return { kind: 'outdated', stored: this.stored };
    this.stored = { record, revision: expected + 1 };
    return { kind: 'saved', revision: expected + 1 };
  }

  #install({ intent, emptyNames }: FailoverTask & { readonly kind: 'install' }): TaskResult {
    const node = this.node(intent.candidate);
    if (!node.running || !node.reachable) return { kind: 'failed', reason: 'no answer' };
    if (emptyNames) node.names = '';
    if (node.inRecovery) {
      node.inRecovery = false;
      node.upstream = null;
      node.timeline += 1;
    }
    if (this.random.fraction() < 0.1) return { kind: 'failed', reason: 'no epoch row' };
    if (node.epoch?.uuid !== intent.uuid) node.log.push(`epoch ${intent.epoch} ${intent.uuid}`);
    return { kind: 'installed', answer: node.answer(this.now, this.nodes), askedAt: this.now };
  }

  #publish(state: ShardState): void {
    if (this.published !== null && state.epoch < this.published.epoch) {
      throw new Error(`epoch fell from ${this.published.epoch} to ${state.epoch}`);
    }
    this.published = state;
    if (state.primary === null) return;
    const owner = this.#owners.get(state.epoch) ?? state.primary;
    if (owner !== state.primary) throw new Error(`epoch ${state.epoch} has two primaries`);
    this.#owners.set(state.epoch, owner);
    const log = new Set(this.node(state.primary).log);
    const missing = this.acknowledged.filter((entry) => !log.has(entry));
    if (missing.length > 0) throw new Error(`${state.primary} lacks ${missing.join(', ')}`);
  }

  /** A client writes on the primary that it was told; nobody else is written to. */
  #write(): void {
    const { published } = this;
    if (published?.primary == null || this.random.fraction() < 0.6) return;
    const node = this.node(published.primary);
    if (!node.running || node.inRecovery || node.waiting.length >= 10) return;
    const entry = `write${++this.#writes}`;
    node.log.push(entry);
    node.waiting.push({ lsn: node.log.length, entry, epoch: published.epoch });
  }

  #acknowledge(): void {
    for (const node of this.nodes) {
      if (!node.running) continue;
      const done = node.waiting.filter(({ lsn }) => node.commitDone(lsn, this.nodes));
      node.waiting = node.waiting.filter((write) => !done.includes(write));
      // After a cut the answer of an old connection is not believed.
      const believed = done.filter(({ epoch }) => epoch === this.published?.epoch);
      this.acknowledged.push(...believed.map(({ entry }) => entry));
    }
    if (this.acknowledged.length > 200) this.acknowledged = this.acknowledged.slice(-200);
  }

  #later(delayMs: number, run: () => void): void {
    this.#order += 1;
    this.#timers.push({ at: this.now + delayMs, order: this.#order, run });
  }

  #runTimers(): void {
    const due = this.#timers
      .filter((timer) => timer.at <= this.now)
      .sort((a, b) => a.at - b.at || a.order - b.order);
    this.#timers = this.#timers.filter((timer) => timer.at > this.now);
    const life = this.#life;
    for (const timer of due) if (life === this.#life) timer.run();
  }
}
