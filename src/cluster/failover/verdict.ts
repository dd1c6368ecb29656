import { failoverLimits } from './failover-limits.ts';
import type { FailoverState } from './failover-state.ts';
import { isResponsive, misfit, type NodeView } from './node-view.ts';
import type { ShardRecord } from './shard-record.ts';

/** A message is that late at most on its way from a primary to the row that tells of it. */
const deliveryMs = 50;

/**
 * `late`: something is wrong, and nothing is proved. `misfit`: alive, but not the primary that the
 * record names.
 */
export type Verdict =
  | { readonly kind: 'well' }
  | { readonly kind: 'late'; readonly reason: string }
  | { readonly kind: 'dead'; readonly reason: string }
  | { readonly kind: 'misfit'; readonly reason: string };

/**
 * Is the recorded primary alive? Refused connects are proof. Silence is proof only when no
 * connection of ours hears anything and the standbys, which have their own link, hear nothing either.
 * A full or slow server is alive.
 */
export function judgePrimary(
  state: FailoverState,
  primary: NodeView,
  record: ShardRecord,
  now: number,
): Verdict {
  if (isResponsive(primary, now, state.settings.suspectAfterMs)) {
    const reason = misfit(primary, record);
    return reason === null ? { kind: 'well' } : { kind: 'misfit', reason };
  }
  if (primary.startingSince !== null) return judgeStarting(state, primary.startingSince, now);
  if (primary.refusals >= 2) return judgeRefused(state, primary, now);
  return judgeSilent(state, primary, now);
}

function judgeStarting(state: FailoverState, since: number, now: number): Verdict {
  const reason = 'it is starting up or shutting down';
  return now - since >= state.settings.restartGraceMs
    ? { kind: 'dead', reason }
    : { kind: 'late', reason };
}

function judgeRefused(state: FailoverState, primary: NodeView, now: number): Verdict {
  const reason = 'it refuses connections';
  const { firstRefusedAt, lastRefusedAt } = primary;
  if (lastRefusedAt - firstRefusedAt < failoverLimits.refusedSpacingMs) {
    return { kind: 'late', reason };
  }
  if (!standbysHear(state, primary, firstRefusedAt)) return { kind: 'dead', reason };
  return judgeCut(state, firstRefusedAt, now);
}

function judgeSilent(state: FailoverState, primary: NodeView, now: number): Verdict {
  const silentMs = now - primary.aliveAt;
  if (silentMs < state.settings.hangMs) {
    return { kind: 'late', reason: `no answer for ${Math.round(silentMs)} ms` };
  }
  if (standbysHear(state, primary, primary.aliveAt)) return judgeCut(state, primary.aliveAt, now);
  if (!standbysShouldHear(state, primary, now)) {
    return { kind: 'late', reason: 'it is silent, and its standby could not have heard it yet' };
  }
  return { kind: 'dead', reason: 'it is silent on every connection, and so it is to its standby' };
}

/**
 * A standby's silence says something only when a message was due: without work a primary sends no
 * more than keepalives. A receiver that has ended says that the link has.
 */
function standbysShouldHear(state: FailoverState, primary: NodeView, now: number): boolean {
  const { partitionMs } = state.settings;
  const keepaliveMs = primary.answer?.keepaliveMs ?? 0;
  const dueMs = Math.min(keepaliveMs + deliveryMs, partitionMs);
  return state.nodes.every((node) => {
    if (node.id === primary.id || node.answer === null) return true;
    if (!isResponsive(node, now, state.settings.suspectAfterMs)) return true;
    const { receiverAgeMs } = node.answer;
    return receiverAgeMs === null || receiverAgeMs >= dueMs;
  });
}

/** Where commits wait for nobody, a primary that we cannot reach may go on to acknowledge them. */
function judgeCut(state: FailoverState, since: number, now: number): Verdict {
  const { partitionMs, durability } = state.settings;
  const reason = 'it is silent to pgweave, but its standby still receives from it';
  return durability !== 'async' && now - since >= partitionMs
    ? { kind: 'dead', reason }
    : { kind: 'late', reason };
}

/** A standby has proof of a message from the primary after `since`, give or take a late delivery. */
function standbysHear(state: FailoverState, primary: NodeView, since: number): boolean {
  return state.nodes.some((node) => {
    if (node.id === primary.id || node.answer === null) return false;
    const { receiverAgeMs } = node.answer;
    return receiverAgeMs !== null && node.askedAt - receiverAgeMs > since + deliveryMs;
  });
}
