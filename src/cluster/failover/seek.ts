import { claim } from './claim.ts';
import type { Draft } from './draft.ts';
import type { FailoverState } from './failover-state.ts';
import { fencedNames } from './fence.ts';
import { isResponsive, type NodeView } from './node-view.ts';
import type { ProbeAnswer } from './probe-answer.ts';

type Answered = { readonly node: NodeView; readonly answer: ProbeAnswer };
type Found =
  | { readonly kind: 'primary'; readonly found: Answered }
  | { readonly kind: 'none'; readonly reason: string };

/**
 * Without a record the servers themselves must say who is primary: the one writable node of the
 * highest epoch. Two without a difference are a split brain, and nobody can choose for the operator.
 */
export function seek(draft: Draft): void {
  const command = draft.state.request?.command;
  const allowDataLoss = command?.kind === 'failover' && command.allowDataLoss;
  const result = findPrimary(draft.state, draft.now, allowDataLoss);
  if (result.kind === 'primary') {
    const { id } = result.found.node;
    draft.answerOperator({ kind: 'done', message: `${id} is the primary` });
    adopt(draft, result.found);
    return;
  }
  draft.refuseOperator(`the primary is not known: ${result.reason}`);
  const { phase } = draft.state;
  if (phase.kind === 'seeking' && phase.reason === result.reason) return;
  draft.log('info', 'looking for the primary', { reason: result.reason });
  draft.enter({ kind: 'seeking', reason: result.reason });
}

function findPrimary(state: FailoverState, now: number, allowDataLoss: boolean): Found {
  const seen = state.nodes.filter((node) => isResponsive(node, now, state.settings.hangMs));
  const answered = seen.flatMap((node) =>
    node.answer === null ? [] : [{ node, answer: node.answer }],
  );
  const missing = state.nodes.filter((node) => !seen.includes(node));
  if (missing.some((node) => node.refusals < 2 && now - node.aliveAt < state.settings.hangMs)) {
    return none('not all nodes have answered yet');
  }
  if (new Set(answered.map(({ answer }) => answer.systemId)).size > 1) {
    return none('its nodes belong to different clusters (their system identifiers differ)');
  }
  const writable = answered.filter(
    ({ answer }) => !answer.inRecovery && answer.synchronousStandbyNames !== fencedNames,
  );
  const newest = Math.max(...answered.map(({ answer }) => answer.epoch?.epoch ?? 0));
  const [found, ...others] = writable.filter(({ answer }) => (answer.epoch?.epoch ?? 0) === newest);
  if (found === undefined) return none('no node that takes writes has the newest epoch');
  if (others.length > 0) {
    const ids = [found, ...others].map(({ node }) => node.id).join(' and ');
    return none(`${ids} both take writes, and neither is newer: stop the wrong one`);
  }
  const [absent] = missing;
  if (newest > 0 && absent !== undefined && !allowDataLoss) {
    return none(`the cluster record is missing, and ${absent.id}, which may be newer, is down`);
  }
  return { kind: 'primary', found };
}

function adopt(draft: Draft, { node, answer }: Answered): void {
  const base = {
    shard: draft.state.shard,
    systemId: answer.systemId,
    timeline: answer.timeline,
    primary: node.id,
    durability: { kind: 'solo' },
    phase: { kind: 'open' },
    paused: false,
    switchLsn: null,
  } as const;
  if (answer.epoch === null) {
    const record = { ...base, epoch: 0, uuid: draft.mintUuid() };
    claim(draft, { record, cause: 'found', how: { kind: 'promote', candidate: node.id } });
    return;
  }
  const record = { ...base, epoch: answer.epoch.epoch, uuid: answer.epoch.uuid };
  draft.enter({ kind: 'opening', cause: 'found', from: node.id, record });
  draft.change({ epochMax: Math.max(draft.state.epochMax, record.epoch) });
  draft.start({ kind: 'save', record, expected: draft.state.revision });
}

function none(reason: string): Found {
  return { kind: 'none', reason };
}
