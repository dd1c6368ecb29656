import type { NodeId } from '../../config/config.ts';
import { promotionObstacle } from './candidate.ts';
import { step } from './failover-machine.ts';
import { type FailoverState, nodeView } from './failover-state.ts';
import type { NodeView } from './node-view.ts';
import type { OperatorCommand } from './operator-command.ts';
import type { ShardRecord } from './shard-record.ts';

/** What a command would come to at this moment. */
export type Rehearsal = {
  readonly willDo: boolean;
  /** In words: what would be done, or why not and what to do about it. */
  readonly message: string;
  readonly nodes: readonly {
    readonly node: NodeId;
    readonly isPrimary: boolean;
    /** What it has not received; null where that is not known. */
    readonly lagBytes: number | null;
    /** Why it cannot become primary; null: it can. */
    readonly obstacle: string | null;
  }[];
};

/**
 * The machine is a function: the step that the command would take is taken, and forgotten. Nothing
 * that it asks for is done.
 */
export function rehearse(state: FailoverState, command: OperatorCommand, now: number): Rehearsal {
  const { actions } = step(state, { kind: 'operator', at: now, command }, () => 'rehearsal');
  const answer = actions.find((action) => action.kind === 'answer-operator')?.answer;
  const works = actions.flatMap((action) => (action.kind === 'start' ? [action.work] : []));
  const saved = works.find((work) => work.kind === 'save');
  const prepared = works.find((work) => work.kind === 'prepare');
  const nodes = readNodes(state, now);
  if (answer?.kind === 'refused') {
    const message = [answer.reason, answer.hint].filter((text) => text !== undefined).join('; ');
    return { willDo: false, message, nodes };
  }
  if (answer !== undefined) return { willDo: true, message: answer.message, nodes };
  if (prepared !== undefined) {
    return { willDo: true, message: handover(prepared.primary, prepared.candidate), nodes };
  }
  if (saved === undefined) {
    const message = 'it would wait until the state of the primary is clear';
    return { willDo: false, message, nodes };
  }
  return { willDo: true, message: intention(saved.record), nodes };
}

function intention({ phase, primary, shard, paused }: ShardRecord): string {
  switch (phase.kind) {
    case 'open':
      return `automatic failover of shard "${shard}" would be ${paused ? 'paused' : 'resumed'}`;
    case 'claimed':
      return handover(primary, phase.intent.candidate);
    case 'revoking':
      return 'the standbys would stop receiving, and the one that has most would become primary';
    case 'promoting':
      return `${phase.intent.candidate} would become primary in place of ${primary}`;
  }
}

function handover(primary: NodeId, candidate: NodeId): string {
  return `statements would wait while ${primary} hands over to ${candidate}; nothing is lost`;
}

function readNodes(state: FailoverState, now: number): Rehearsal['nodes'] {
  const { record } = state;
  const last = record === null ? null : (nodeView(state, record.primary)?.answer?.lsn ?? null);
  return state.nodes.map((node) => ({
    node: node.id,
    isPrimary: node.id === record?.primary,
    lagBytes: lagOf(node, last),
    obstacle: record === null ? 'the primary is not known' : obstacle(node, record, now),
  }));
}

function obstacle(node: NodeView, record: ShardRecord, now: number): string | null {
  return node.id === record.primary ? 'is the primary' : promotionObstacle(node, record, now);
}

function lagOf(node: NodeView, last: bigint | null): number | null {
  if (last === null || node.answer === null) return null;
  return Number(last > node.answer.lsn ? last - node.answer.lsn : 0n);
}
