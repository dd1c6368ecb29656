import { assert } from '../../base/assert.ts';
import type { LogFields, LogLevel } from '../../base/telemetry.ts';
import type { NodeId } from '../../config/config.ts';
import type { FailoverAction, FailoverTask } from './failover-action.ts';
import type { FailoverState, Phase } from './failover-state.ts';
import { hookCall } from './hook-of.ts';
import type { NodeView } from './node-view.ts';
import type { OperatorAnswer } from './operator-command.ts';

/** One step in the making: the state so far and the actions it has caused. Lives within the step. */
export class Draft {
  state: FailoverState;
  readonly now: number;
  readonly mintUuid: () => string;
  readonly actions: FailoverAction[] = [];

  constructor(state: FailoverState, now: number, mintUuid: () => string) {
    this.state = state;
    this.now = now;
    this.mintUuid = mintUuid;
  }

  change(fields: Partial<FailoverState>): void {
    this.state = { ...this.state, ...fields };
  }

  /** The one door through which the phase changes. */
  enter(phase: Phase): void {
    assert(
      allowed[this.state.phase.kind].includes(phase.kind),
      `${this.state.phase.kind} to ${phase.kind}`,
    );
    this.change({ phase });
  }

  /** A task in the way is forgotten. */
  start(work: FailoverTask): void {
    const { task } = this.state;
    assert(task === null || isForgettable(task.work), 'one task at a time');
    const id = this.state.taskCount + 1;
    this.change({ task: { id, work }, taskCount: id });
    this.actions.push({ kind: 'start', task: id, work });
  }

  probe(node: NodeView, afterMs: number): void {
    this.actions.push({ kind: 'probe', node: node.id, afterMs });
    this.changeNode(node.id, { probedAt: this.now });
  }

  changeNode(id: NodeId, fields: Partial<NodeView>): void {
    this.change({
      nodes: this.state.nodes.map((node) => (node.id === id ? { ...node, ...fields } : node)),
    });
  }

  /** Tells the operator's notify hook, where there is one. */
  notify(event: string, message: string): void {
    const { record, settings } = this.state;
    if (!settings.notify || record === null) return;
    const about = { hook: 'notify', event, node: record.primary, message } as const;
    this.actions.push({ kind: 'hook', call: hookCall(record, about) });
  }

  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.actions.push({
      kind: 'log',
      level,
      message,
      fields: { shard: this.state.shard, ...fields },
    });
  }

  answerOperator(answer: OperatorAnswer): void {
    if (this.state.request === null) return;
    this.change({ request: null });
    this.actions.push({ kind: 'answer-operator', answer });
  }

  refuseOperator(reason: string, hint?: string): void {
    this.answerOperator({ kind: 'refused', reason, hint });
  }
}

/** Its late result harms nobody, so nothing has to wait for it. */
export function isForgettable({ kind }: FailoverTask): boolean {
  return kind === 'arm' || kind === 'prepare';
}

/** A record that somebody else changed may lead back to any of the first four and to `promoting`. */
const allowed: { readonly [From in Phase['kind']]: readonly Phase['kind'][] } = {
  seeking: ['seeking', 'open', 'claiming', 'opening'],
  open: ['suspect', 'seeking', 'claiming', 'promoting'],
  suspect: ['open', 'suspect', 'blocked', 'seeking', 'claiming', 'promoting'],
  blocked: ['open', 'suspect', 'blocked', 'seeking', 'claiming', 'promoting'],
  claiming: ['suspect', 'seeking', 'draining', 'revoking', 'promoting'],
  draining: ['suspect', 'claiming'],
  revoking: ['suspect', 'claiming'],
  promoting: ['claiming', 'opening'],
  opening: ['open', 'suspect', 'seeking', 'promoting'],
};
