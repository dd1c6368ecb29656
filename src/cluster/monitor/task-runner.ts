import { unreachable } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { NodeAddress, NodeId } from '../../config/config.ts';
import { type ControlLogin, withControlConnection } from '../control-connection.ts';
import type { FailoverTask } from '../failover/failover-action.ts';
import type { TaskResult } from '../failover/failover-event.ts';
import type { HookCall, HookOutcome } from '../failover/hook-call.ts';
import type { RecordStore } from '../failover/record-store.ts';
import { installPrimary } from './install-primary.ts';
import { NodeCommands } from './node-commands.ts';
import { ReadySessions } from './ready-sessions.ts';
import { StandbyCommands } from './standby-commands.ts';

export type TaskRunnerParts = {
  readonly nodes: readonly NodeAddress[];
  readonly login: ControlLogin;
  readonly clock: Clock;
  readonly store: RecordStore;
  readonly promoteTimeoutMs: number;
  /** Never rejects. */
  readonly runHook: (call: HookCall) => Promise<HookOutcome>;
};

/** It goes on by itself after that. */
const checkpointMs = 60_000;

type Commands = {
  readonly primaries: NodeCommands;
  readonly standbys: StandbyCommands;
  readonly isWanted: () => boolean;
};

/** Does to the servers and the store of one shard what its machine asks for. */
export class TaskRunner {
  readonly #parts: TaskRunnerParts;
  readonly #sessions: ReadySessions;
  /** Of the last task. */
  #turn = 0;
  #stopped = false;

  constructor(parts: TaskRunnerParts) {
    this.#parts = parts;
    this.#sessions = new ReadySessions(parts);
  }

  /**
   * Rejects when it could not be done, or when that is not known. A task before it that is not
   * through yet changes no more settings.
   */
  async run(work: FailoverTask): Promise<TaskResult> {
    this.#turn += 1;
    const turn = this.#turn;
    const commands = this.#commands(() => !this.#stopped && this.#turn === turn);
    switch (work.kind) {
      case 'save':
        return await this.#save(work);
      case 'revoke': {
        const nodes = work.nodes.map((id) => this.#address(id));
        return { kind: 'revoked', frozen: await commands.standbys.revoke(nodes) };
      }
      case 'install':
        return await this.#install(work, commands.isWanted);
      case 'prepare': {
        const nodes = [this.#address(work.primary), this.#address(work.candidate)];
        await Promise.all(nodes.map((node) => this.#prepare(node)));
        return { kind: 'prepared' };
      }
      case 'drain': {
        const others = work.others.map((id) => this.#address(id));
        const [primary, candidate] = [this.#address(work.primary), this.#address(work.candidate)];
        const freezeOthers = () => commands.standbys.revoke(others);
        await commands.primaries.drain(primary, candidate, freezeOthers);
        return { kind: 'drained' };
      }
      case 'arm': {
        const startedAt = await commands.primaries.arm(this.#address(work.primary), work.set);
        return { kind: 'armed', startedAt };
      }
      case 'disarm':
        await commands.primaries.disarm(this.#address(work.primary), work.names);
        return { kind: 'disarmed' };
      default:
        return unreachable(work);
    }
  }

  /** The next task may need sessions to these. */
  openSessions(nodes: readonly NodeId[]): void {
    // It never rejects.
    for (const id of nodes) void this.#sessions.open(this.#address(id));
  }

  /** No change is under way. */
  dropSessions(): void {
    this.#sessions.drop();
  }

  /** What runs still changes no more settings, unless it has begun to. */
  stop(): void {
    this.#stopped = true;
    this.dropSessions();
  }

  /**
   * Until a promoted server has written one, pg_rewind takes it for what it was before. Never rejects:
   * who may not do that leaves it to the server, which is in no hurry.
   */
  async checkpoint(id: NodeId): Promise<void> {
    const { nodes, login } = this.#parts;
    const node = nodes.find((candidate) => candidate.id === id);
    if (node === undefined) return;
    const options = { node, login, timeoutMs: checkpointMs };
    await withControlConnection(options, (session) => session.execute('checkpoint')).catch(
      () => {},
    );
  }

  async fence(node: NodeId): Promise<void> {
    await this.#commands(() => !this.#stopped).primaries.fence(this.#address(node));
  }

  async repoint(node: NodeId, primary: NodeId): Promise<void> {
    const { standbys } = this.#commands(() => !this.#stopped);
    await standbys.repoint(this.#address(node), this.#address(primary));
  }

  #commands(isWanted: () => boolean): Commands {
    const parts = { clock: this.#parts.clock, sessions: this.#sessions, isWanted };
    return {
      primaries: new NodeCommands(parts),
      standbys: new StandbyCommands(parts),
      isWanted,
    };
  }

  async #install(
    work: FailoverTask & { readonly kind: 'install' },
    isWanted: () => boolean,
  ): Promise<TaskResult> {
    const { clock, promoteTimeoutMs, runHook } = this.#parts;
    if (work.fence !== null) {
      const outcome = await runHook(work.fence);
      if (outcome.kind !== 'done') throw notNow(`the fence hook failed: ${outcome.reason}`);
    }
    const node = this.#address(work.intent.candidate);
    const { intent, names } = work;
    const options = { node, intent, names, clock, promoteTimeoutMs, isWanted };
    const installed = await this.#sessions.with(node, (session) =>
      installPrimary(session, options),
    );
    return { kind: 'installed', ...installed };
  }

  /** A checkpoint that takes long goes on by itself, and one that is not allowed is not needed. */
  async #prepare(node: NodeAddress): Promise<void> {
    await this.#sessions.with(node, (session) => session.execute('checkpoint')).catch(() => {});
    await this.#sessions.open(node);
  }

  async #save(work: FailoverTask & { readonly kind: 'save' }): Promise<TaskResult> {
    const { store } = this.#parts;
    const revision = await store.save(work.record, work.expected);
    if (revision !== null) return { kind: 'saved', revision };
    return { kind: 'outdated', stored: await store.load(work.record.shard) };
  }

  #address(id: NodeId): NodeAddress {
    const node = this.#parts.nodes.find((candidate) => candidate.id === id);
    if (node === undefined) throw notNow(`${id} is no longer configured`);
    return node;
  }
}

function notNow(reason: string): PgError {
  return new PgError(SqlState.objectNotInPrerequisiteState, reason);
}
