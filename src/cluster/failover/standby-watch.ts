import type { NodeId } from '../../config/config.ts';
import type { Draft } from './draft.ts';
import { type FailoverState, nodeView, type StandbyWatch } from './failover-state.ts';
import { isOfEpoch, type NodeView } from './node-view.ts';
import type { ProbeAnswer, StandbyRow } from './probe-answer.ts';
import type { ShardRecord } from './shard-record.ts';

export type Standby = {
  readonly node: NodeView;
  readonly name: string;
  readonly row: StandbyRow;
};

/** Standbys of this epoch that the primary streams to, known by an unambiguous name. */
export function streamingStandbys(
  state: FailoverState,
  record: ShardRecord,
  primary: ProbeAnswer,
): readonly Standby[] {
  return state.nodes.flatMap((node) => {
    const name = node.answer?.applicationName ?? null;
    if (name === null || node.answer?.inRecovery !== true || !isOfEpoch(node, record)) return [];
    const rows = primary.standbys.filter((row) => row.applicationName === name);
    const [row] = rows;
    if (row === undefined || rows.length > 1 || row.state !== 'streaming') return [];
    return [{ node, name, row }];
  });
}

/** Notes how every standby is doing in the eyes of the primary. */
export function watchStandbys(
  draft: Draft,
  record: ShardRecord,
  standbys: readonly Standby[],
  primary: ProbeAnswer,
): void {
  const { nodes, watches } = draft.state;
  const others = nodes.filter(({ id }) => id !== record.primary);
  draft.change({
    watches: others.map(({ id }) => {
      const last = watches.find(({ node }) => node === id);
      const row = standbys.find(({ node }) => node.id === id)?.row ?? null;
      return watched(id, last ?? null, row, { primary, now: draft.now });
    }),
  });
}

function watched(
  node: NodeId,
  last: StandbyWatch | null,
  row: StandbyRow | null,
  { primary, now }: { readonly primary: ProbeAnswer; readonly now: number },
): StandbyWatch {
  if (row === null) {
    const missingSince = last?.missingSince ?? now;
    return { node, missingSince, flushLsn: last?.flushLsn ?? 0n, frozenSince: now };
  }
  const moves = row.flushLsn >= primary.lsn || row.flushLsn !== last?.flushLsn;
  const frozenSince = moves || last === null ? now : last.frozenSince;
  return { node, missingSince: null, flushLsn: row.flushLsn, frozenSince };
}

/** Commits must not wait for it any longer. One that refuses connections will not be back at once. */
export function isLost(draft: Draft, id: NodeId): boolean {
  const watch = draft.state.watches.find(({ node }) => node === id);
  if (watch === undefined) return true;
  if (isFrozen(draft, id)) return true;
  if (watch.missingSince === null) return false;
  const hasGone = (nodeView(draft.state, id)?.refusals ?? 0) >= 2;
  return hasGone || draft.now - watch.missingSince >= draft.state.settings.degradeAfterMs;
}

/** It streams, but confirms nothing: the link may be dead without anybody having noticed. */
export function isFrozen(draft: Draft, id: NodeId): boolean {
  const watch = draft.state.watches.find(({ node }) => node === id);
  if (watch === undefined || watch.missingSince !== null) return false;
  return draft.now - watch.frozenSince >= 2 * draft.state.settings.degradeAfterMs;
}

/** Time in which we did not run proves nothing about them. */
export function postponed(watches: readonly StandbyWatch[], byMs: number): readonly StandbyWatch[] {
  return watches.map((watch) => ({
    ...watch,
    missingSince: watch.missingSince === null ? null : watch.missingSince + byMs,
    frozenSince: watch.frozenSince + byMs,
  }));
}
