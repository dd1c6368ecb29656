import type { FailoverAction } from '../../../src/cluster/failover/failover-action.ts';
import type { FailoverEvent, TaskResult } from '../../../src/cluster/failover/failover-event.ts';
import { step } from '../../../src/cluster/failover/failover-machine.ts';
import {
  beginFailover,
  type FailoverSettings,
  type FailoverState,
} from '../../../src/cluster/failover/failover-state.ts';
import type { OperatorCommand } from '../../../src/cluster/failover/operator-command.ts';
import type { ConnectOutcome, ProbeAnswer } from '../../../src/cluster/failover/probe-answer.ts';
import type { ShardRecord } from '../../../src/cluster/failover/shard-record.ts';
import type { NodeId } from '../../../src/config/config.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';
import { settingsFixture } from './settings-fixture.ts';

const shard = 'a' as ShardId;
export const [one, two, three] = ['h:1', 'h:2', 'h:3'] as [NodeId, NodeId, NodeId];
const epoch = { epoch: 1, uuid: 'u1' };
export const armed: ShardRecord = {
  shard,
  ...epoch,
  systemId: '7',
  timeline: 1,
  primary: one,
  durability: { kind: 'armed', members: [two], quorum: 1 },
  phase: { kind: 'open' },
  paused: false,
  switchLsn: null,
};
export const solo: ShardRecord = { ...armed, durability: { kind: 'solo' } };

export const primaryAnswer: ProbeAnswer = {
  inRecovery: false,
  systemId: '7',
  timeline: 1,
  serverVersion: 180004,
  startedAt: '1',
  lsn: 100n,
  replayLsn: 100n,
  epoch,
  replayPaused: false,
  applicationName: null,
  upstream: null,
  revoked: false,
  receiverAgeMs: null,
  keepaliveMs: 500,
  off: [],
  synchronousStandbyNames: 'FIRST 1 ("h:2")',
  synchronousCommit: 'on',
  standbys: [{ applicationName: two, state: 'streaming', syncState: 'sync', flushLsn: 100n }],
};
export const standbyAnswer: ProbeAnswer = {
  ...primaryAnswer,
  inRecovery: true,
  applicationName: two,
  upstream: one,
  receiverAgeMs: 0,
  synchronousStandbyNames: '',
  standbys: [],
};

/** The machine of one pair, or of the nodes that its record names, fed by hand. */
export class Scene {
  now = 0;
  readonly nodes: readonly NodeId[];
  state: FailoverState;
  actions: FailoverAction[] = [];

  constructor(
    record: ShardRecord | null,
    mode: FailoverState['mode'] = 'failover',
    settings: Partial<FailoverSettings> = {},
  ) {
    const members = record?.durability.kind === 'armed' ? record.durability.members : [];
    this.nodes = members.length > 1 ? [one, ...members] : [one, two];
    this.state = beginFailover({
      shard,
      nodes: this.nodes,
      settings: { ...settingsFixture, ...settings },
      mode,
      stored: record === null ? null : { record, revision: 1 },
      before: null,
      now: 0,
    });
  }

  /** The configuration has changed: another machine takes its place. */
  reload(settings: Partial<FailoverSettings>): this {
    const { record, revision, mode } = this.state;
    this.state = beginFailover({
      shard,
      nodes: this.nodes,
      settings: { ...settingsFixture, ...settings },
      mode,
      stored: record === null ? null : { record, revision },
      before: this.state,
      now: this.now,
    });
    this.actions = [];
    return this;
  }

  event(event: FailoverEvent): this {
    const result = step(this.state, event, () => 'fresh');
    this.state = result.state;
    this.actions.push(...result.actions);
    return this;
  }

  at(now: number): this {
    this.now = now;
    return this.event({ kind: 'tick', at: now });
  }

  answer(node: NodeId, answer: ProbeAnswer, askedAt = this.now): this {
    return this.event({ kind: 'answer', at: this.now, askedAt, node, answer });
  }

  lost(node: NodeId): this {
    return this.event({ kind: 'lost', at: this.now, node });
  }

  connect(node: NodeId, outcome: ConnectOutcome): this {
    return this.event({ kind: 'connect', at: this.now, node, outcome });
  }

  done(result: TaskResult): this {
    const { task } = this.state;
    if (task === null) throw new Error('no task runs');
    return this.event({ kind: 'task', at: this.now, task: task.id, result });
  }

  order(command: OperatorCommand): this {
    return this.event({ kind: 'operator', at: this.now, command });
  }

  /** Both nodes up, and a running verification of the standby finished. */
  settle(): this {
    this.answer(two, standbyAnswer).answer(one, primaryAnswer);
    return this.done({ kind: 'armed', startedAt: '1' });
  }

  get phase(): string {
    return this.state.phase.kind;
  }

  get work(): string | undefined {
    return this.state.task?.work.kind;
  }

  get reason(): string | undefined {
    return this.state.published?.reason;
  }

  kinds(): string[] {
    return this.actions.map(({ kind }) => kind);
  }
}
