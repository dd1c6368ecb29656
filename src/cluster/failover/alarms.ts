import type { CrashSetting, NodeId } from '../../config/config.ts';
import type { Draft } from './draft.ts';
import { failoverLimits } from './failover-limits.ts';
import { type FailoverState, nodeView } from './failover-state.ts';
import { isResponsive, type NodeView } from './node-view.ts';
import type { ProbeAnswer } from './probe-answer.ts';
import { waitWeakness } from './synchronous-wait.ts';

/** What an operator should look at although statements flow, in words. */
export function alarms(state: FailoverState, now: number): readonly string[] {
  const { record, mode } = state;
  const crash = state.nodes.flatMap(({ id, answer }) =>
    answer === null ? [] : crashRisks(state, answer).map((risk) => `${id}: ${risk}`),
  );
  const primary = record === null ? null : nodeView(state, record.primary);
  if (primary === null || primary.answer === null) return crash;
  const weakness = mode === 'failover' ? waitWeakness(primary.answer) : null;
  return [
    ...crash,
    ...(weakness === null ? [] : [`${primary.id}: ${weakness}`]),
    ...(state.rivalBeats === null ? [] : ['another pgweave watches this shard as well']),
    ...(acceptsConnections(primary, state, now)
      ? []
      : [`${primary.id} serves its sessions, but accepts no new one`]),
    ...state.watches.flatMap(({ node }) =>
      (missingMs(state, node, now) ?? 0) < failoverLimits.missingAlarmMs
        ? []
        : [`${node} has not rejoined for ${failoverLimits.missingAlarmMs / 60_000} minutes`],
    ),
  ];
}

/** For how long a node has not streamed from the open primary; null: it does. */
export function missingMs(state: FailoverState, id: NodeId, now: number): number | null {
  const since = state.watches.find(({ node }) => node === id)?.missingSince ?? null;
  return since === null ? null : now - since;
}

/** False when its sessions answer and new connections do not: its postmaster hangs, or a firewall. */
export function acceptsConnections(node: NodeView, state: FailoverState, now: number): boolean {
  const isServing = isResponsive(node, now, state.settings.suspectAfterMs);
  return !isServing || node.silentConnects < failoverLimits.silentConnectsMin;
}

const afterCrash: { readonly [Setting in CrashSetting]: string } = {
  fsync: 'loses commits',
  full_page_writes: 'may leave halves of pages',
};

/**
 * What would not survive a crash of the server's machine, in words: a standby that has acknowledged a
 * commit must have it afterwards, as much as its primary.
 */
export function crashRisks({ settings }: FailoverState, { off }: ProbeAnswer): readonly string[] {
  return off
    .filter((name) => !settings.acceptsOff.includes(name))
    .map((name) => `${name} is off, a crash of its machine ${afterCrash[name]}`);
}

/** Tells of each alarm, and asks the primary of an open shard for a new connection now and then. */
export function watchAlarms(draft: Draft, primary: NodeView): void {
  const { silentConnectsMin: needed, connectEveryMs, connectAgainMs } = failoverLimits;
  const isDoubtful = primary.silentConnects > 0 && primary.silentConnects < needed;
  if (draft.now - primary.probedAt >= (isDoubtful ? connectAgainMs : connectEveryMs)) {
    draft.probe(primary, 0);
  }
  tellAlarms(draft);
}

/** Of each once, until it is over. */
export function tellAlarms(draft: Draft): void {
  const { alarms: before } = draft.state;
  const after = alarms(draft.state, draft.now);
  if (after.join() === before.join()) return;
  draft.change({ alarms: after });
  for (const alarm of after) {
    if (before.includes(alarm)) continue;
    draft.log('error', 'something is wrong with a server', { finding: alarm });
    draft.notify('alarm', alarm);
  }
}
