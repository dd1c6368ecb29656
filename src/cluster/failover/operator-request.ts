import {
  automaticCandidates,
  type Choice,
  operatorCandidates,
  safeCandidates,
} from './candidate.ts';
import { claim, claimForOneOf } from './claim.ts';
import { type Draft, isForgettable } from './draft.ts';
import { failoverLimits } from './failover-limits.ts';
import { type FailoverState, nodeView } from './failover-state.ts';
import type { NodeView } from './node-view.ts';
import type { OperatorCommand } from './operator-command.ts';
import { startRejoin } from './repair.ts';
import type { ShardRecord } from './shard-record.ts';

type Replacement = OperatorCommand & { readonly kind: 'failover' | 'switchover' };

/** What does not depend on the primary's health. */
export function serveOperator(draft: Draft): void {
  const { request, record } = draft.state;
  if (request === null || request.accepted) return;
  const { command } = request;
  if (command.kind !== 'pause' && command.kind !== 'resume' && command.kind !== 'rejoin') return;
  if (record === null) {
    draft.refuseOperator('the primary is not known yet', 'see SHOW SHARDS');
  } else if (command.kind === 'rejoin') {
    rejoin(draft, record, command);
  } else {
    setPaused(draft, record, command.kind === 'pause');
  }
}

function setPaused(draft: Draft, record: ShardRecord, paused: boolean): void {
  const words = paused ? 'paused' : 'not paused';
  if (record.paused === paused) {
    draft.answerOperator({ kind: 'done', message: `shard "${record.shard}" is ${words} already` });
    return;
  }
  if (!['open', 'suspect', 'blocked'].includes(draft.state.phase.kind)) {
    draft.refuseOperator('the primary is being replaced', 'see SHOW SHARDS, and try again');
    return;
  }
  if (taskInTheWay(draft) || draft.state.request === null) return;
  draft.log('warn', paused ? 'automatic failover is paused' : 'automatic failover is resumed');
  draft.change({ request: { ...draft.state.request, accepted: true } });
  draft.start({ kind: 'save', record: { ...record, paused }, expected: draft.state.revision });
}

function rejoin(
  draft: Draft,
  record: ShardRecord,
  { node: id }: OperatorCommand & { readonly kind: 'rejoin' },
): void {
  const node = nodeView(draft.state, id);
  const reason = rejoinObjection(draft, record, node);
  if (reason !== null || node === null) {
    draft.refuseOperator(reason ?? `there is no node ${id}`, 'see SHOW NODES');
    return;
  }
  startRejoin(draft, record, node);
  const message = `the rejoin hook of ${id} has started; SHOW NODES tells how it ends`;
  draft.answerOperator({ kind: 'done', message });
}

function rejoinObjection(draft: Draft, record: ShardRecord, node: NodeView | null): string | null {
  if (node === null) return 'this node is not of this shard';
  if (!draft.state.settings.rejoin) return 'failover.hooks.rejoin is not configured';
  if (node.id === record.primary) return `${node.id} is the primary`;
  if (node.rejoin?.state === 'running') return `the rejoin hook of ${node.id} runs already`;
  return draft.state.phase.kind === 'open' ? null : 'the shard has no primary now';
}

/** FAILOVER or SWITCHOVER of an open shard: its primary lives, so nothing may be lost. */
export function switchOver(draft: Draft, record: ShardRecord): void {
  const command = waitingReplacement(draft.state);
  if (command === null || taskInTheWay(draft)) return;
  const choice = operatorCandidates(draft.state, record, draft.now, command.to);
  const prepared = draft.state.request?.prepared ?? null;
  const nodes = choice.kind === 'candidates' ? choice.nodes : [];
  const node = nodes.find(({ id }) => id === prepared) ?? nodes[0];
  const reason =
    choice.kind === 'none'
      ? choice.reason
      : (standbyObjection(draft.state, record, node ?? null) ??
        (command.kind === 'switchover' ? planObjection(record, node ?? null) : null));
  if (reason !== null || node === undefined) {
    draft.refuseOperator(reason ?? '', 'see SHOW NODES and SHOW DURABILITY');
    return;
  }
  if (node.id === prepared) {
    claim(draft, { record, cause: 'operator', how: { kind: 'drain', candidate: node.id } });
  } else if (draft.state.task?.work.kind !== 'prepare') {
    draft.start({ kind: 'prepare', primary: record.primary, candidate: node.id });
  }
}

/** FAILOVER of a shard whose primary is dead, and which was not failed over by itself. */
export function forceFailover(draft: Draft, record: ShardRecord, reason: string): void {
  const command = waitingReplacement(draft.state);
  if (command === null || taskInTheWay(draft)) return;
  if (command.kind === 'switchover') {
    draft.refuseOperator(
      `${record.primary} is lost, a switchover needs a healthy primary`,
      `see FAILOVER ${record.shard} WITH DRY RUN`,
    );
    return;
  }
  const named = operatorCandidates(draft.state, record, draft.now, command.to);
  if (named.kind === 'none') {
    draft.refuseOperator(named.reason, 'see SHOW NODES');
    return;
  }
  // An operator need not wait for a cool-down, but must say so where commits may be lost.
  const safe = safeCandidates(draft.state, record, draft.now);
  if (safe.kind === 'candidates' && contains(safe, command.to)) {
    claimForOneOf(draft, record, 'operator', safe.nodes);
    return;
  }
  const [best] = named.nodes;
  if (command.allowDataLoss && best !== undefined) {
    claim(draft, { record, cause: 'operator', how: { kind: 'promote', candidate: best.id } });
    return;
  }
  draft.refuseOperator(
    `${reason}: acknowledged commits could be lost`,
    `bring ${record.primary} back, or allow the loss: FAILOVER ${record.shard} ALLOW DATA LOSS`,
  );
}

/** Why this standby is not switched over to while the primary lives; null: nothing is against it. */
function standbyObjection(
  state: FailoverState,
  record: ShardRecord,
  node: NodeView | null,
): string | null {
  const { answer, id } = node ?? { answer: null, id: '' };
  if (answer === null) return 'no standby of this shard is usable';
  if (answer.receiverAgeMs === null) return `${id} does not stream from the primary`;
  if (answer.replayPaused) return `the replay of ${id} is paused`;
  const lag = (nodeView(state, record.primary)?.answer?.lsn ?? 0n) - answer.replayLsn;
  return lag > failoverLimits.replayBytesMax ? `${id} has still to replay ${lag} bytes` : null;
}

/** What is not planned in a shard that is not at its best. */
function planObjection({ durability }: ShardRecord, node: NodeView | null): string | null {
  if (durability.kind === 'solo') return 'the shard is not armed';
  if (durability.kind === 'async' || node === null || durability.members.includes(node.id)) {
    return null;
  }
  return `commits do not wait for ${node.id}`;
}

/** Why nobody would be promoted if the primary were lost now; empty: somebody would be. */
export function noPromotionReason(state: FailoverState, now: number): string {
  const { record, mode, nodes } = state;
  if (nodes.length === 1) return 'the shard has one node only';
  if (mode === 'follow') return 'promotion is left to others';
  if (record === null) return 'the primary is not known yet';
  const choice = automaticCandidates(state, record, now);
  return choice.kind === 'none' ? choice.reason : '';
}

function waitingReplacement({ request }: FailoverState): Replacement | null {
  if (request === null || request.accepted) return null;
  const { command } = request;
  return command.kind === 'failover' || command.kind === 'switchover' ? command : null;
}

function contains(choice: Choice & { readonly kind: 'candidates' }, to: string | null): boolean {
  return to === null || choice.nodes.some(({ id }) => id === to);
}

function taskInTheWay(draft: Draft): boolean {
  const { task } = draft.state;
  return task !== null && !isForgettable(task.work);
}
