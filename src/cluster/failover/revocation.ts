import { bestFirst, enoughHeard, promotionObstacle, safeCandidates } from './candidate.ts';
import { saveStep } from './claim.ts';
import type { Draft } from './draft.ts';
import type { FrozenStandby } from './failover-event.ts';
import { failoverLimits } from './failover-limits.ts';
import { nodeView } from './failover-state.ts';
import { type NodeView, observe } from './node-view.ts';

/** Stops all standbys that may be chosen: positions of logs that still grow mean nothing. */
export function keepRevoking(draft: Draft): void {
  const { phase, record } = draft.state;
  if (phase.kind !== 'revoking' || record === null) return;
  const choice = safeCandidates(draft.state, record, draft.now);
  if (choice.kind === 'none') {
    giveUp(draft, choice.reason);
    return;
  }
  draft.start({ kind: 'revoke', nodes: choice.nodes.map(({ id }) => id) });
}

/** None of these receives any more: what they have now is all that they will ever have. */
export function chooseFrozen(draft: Draft, frozen: readonly FrozenStandby[]): void {
  const { phase, record } = draft.state;
  if (phase.kind !== 'revoking' || record === null) return;
  for (const { node: id, answer, askedAt } of frozen) {
    const view = nodeView(draft.state, id);
    const event = { kind: 'answer', at: draft.now, node: id, answer, askedAt } as const;
    if (view !== null) draft.changeNode(id, observe(view, event));
  }
  const { durability } = record;
  const ids = frozen.map(({ node }) => node);
  const heard = bestFirst(
    draft.state.nodes.filter(
      (node) => ids.includes(node.id) && promotionObstacle(node, record, draft.now) === null,
    ),
  );
  const choice =
    durability.kind === 'armed'
      ? enoughHeard(
          durability,
          heard.filter(({ id }) => durability.members.includes(id)),
        )
      : safeCandidates(draft.state, record, draft.now);
  const [best] = choice.kind === 'candidates' ? choice.nodes : [];
  if (choice.kind === 'none' || best === undefined) {
    giveUp(draft, choice.kind === 'none' ? choice.reason : 'no standby is usable');
    return;
  }
  const candidate = wanted(draft, heard, best);
  if (candidate === null) return;
  draft.log('info', 'chose the standby that has most', {
    candidate: candidate.id,
    heard: heard.map(({ id, answer }) => `${id} ${answer?.lsn}`),
  });
  const { cause, intent } = phase;
  const step = { kind: 'promoting', intent: { candidate: candidate.id, ...intent } } as const;
  saveStep(draft, record, { kind: 'claiming', cause, step });
}

/** The operator's own choice, if it lacks nothing that another has; null: given up. */
function wanted(draft: Draft, heard: readonly NodeView[], best: NodeView): NodeView | null {
  const { request } = draft.state;
  const to = request?.command.kind === 'failover' ? request.command.to : null;
  if (to === null || request?.accepted !== true) return best;
  const node = heard.find(({ id }) => id === to);
  if (node !== undefined && (node.answer?.lsn ?? 0n) >= (best.answer?.lsn ?? 0n)) return node;
  const reason = `${best.id} has acknowledged commits that ${to} may lack`;
  draft.refuseOperator(reason, `say FAILOVER TO ${best.id}`);
  giveUp(draft, reason);
  return null;
}

function giveUp(draft: Draft, reason: string): void {
  draft.log('warn', 'nobody can be promoted', { reason });
  draft.refuseOperator(reason, 'see SHOW NODES');
  draft.change({ retryAt: draft.now + failoverLimits.retryMs });
  draft.enter({ kind: 'suspect', since: draft.now });
}
