import type { NodeStatus, ShardStatus } from './cluster-status.ts';
import { acceptsConnections, alarms, crashRisks, missingMs } from './failover/alarms.ts';
import type { FailoverState } from './failover/failover-state.ts';
import { isStray } from './failover/fence.ts';
import { isOfEpoch, isResponsive, type NodeView } from './failover/node-view.ts';
import { noPromotionReason } from './failover/operator-request.ts';
import { holdReason } from './failover/publish.ts';

/** What SHOW SHARDS tells of a machine's state. */
export function readShard(state: FailoverState, now: number): ShardStatus {
  const { published, phase, record } = state;
  const armed = record?.durability.kind === 'armed' ? record.durability : null;
  return {
    shard: state.shard,
    epoch: published?.epoch ?? 0,
    primary: published?.primary ?? null,
    standbys: published?.standbys ?? [],
    state: phase.kind,
    mode: state.mode === 'follow' ? 'external' : state.settings.durability,
    durability: durability(state),
    members: armed?.members ?? [],
    quorum: armed?.quorum ?? 0,
    paused: record?.paused ?? false,
    noPromotion: noPromotionReason(state, now),
    writesStuck: state.heartbeat.lateSince !== null,
    alarms: alarms(state, now),
    failovers: state.failovers,
    findingsCount: state.findingsCount,
    reason: holdReason(state),
  };
}

function durability(state: FailoverState): ShardStatus['durability'] {
  const { record, nodes, task, mode, restarted } = state;
  if (mode === 'follow' || nodes.length === 1) return 'none';
  if (record?.durability.kind === 'async') return 'async';
  if (record?.durability.kind === 'armed' && !restarted) return 'armed';
  return task?.work.kind === 'arm' || restarted ? 'arming' : 'solo';
}

/** What SHOW NODES tells, in configuration order. */
export function readNodes(state: FailoverState, now: number): NodeStatus[] {
  return state.nodes.map((node) => ({
    shard: state.shard,
    node: node.id,
    role: role(state, node),
    state: condition(state, node, now),
    lagBytes: lagBytes(state, node),
    epoch: node.answer?.epoch?.epoch ?? null,
    acceptsConnections: acceptsConnections(node, state, now),
    crashSafe: node.answer === null ? null : crashRisks(state, node.answer).length === 0,
    missingMs: missingMs(state, node.id, now),
    pid: null,
  }));
}

function role(state: FailoverState, node: NodeView): NodeStatus['role'] {
  const { record } = state;
  if (record === null || node.answer === null) return 'unknown';
  if (node.answer.systemId !== record.systemId) return 'quarantined';
  if (node.id === record.primary) return 'primary';
  if (isStray(node, record)) return 'quarantined';
  if (state.mode === 'failover' && !isOfEpoch(node, record)) return 'unknown';
  return 'standby';
}

function condition(state: FailoverState, node: NodeView, now: number): string {
  const { settings } = state;
  if (isResponsive(node, now, settings.suspectAfterMs)) {
    const lonely = node.answer?.inRecovery === true && node.answer.receiverAgeMs === null;
    const mute = acceptsConnections(node, state, now) ? [] : ['no new connections'];
    return ['up', ...mute, ...(lonely ? ['not streaming'] : []), ...rejoining(node)].join(', ');
  }
  if (node.rejoin?.state === 'running') return 'rejoining';
  if (node.startingSince !== null) return 'starting';
  if (node.refusals > 0) return 'down';
  return now - node.aliveAt > settings.hangMs ? 'silent' : 'suspect';
}

function rejoining({ rejoin }: NodeView): string[] {
  if (rejoin?.state === 'running') return ['rejoining'];
  return rejoin?.state === 'failed' ? ['rejoin failed'] : [];
}

function lagBytes(state: FailoverState, node: NodeView): number | null {
  const primary = state.nodes.find((view) => view.id === state.record?.primary);
  if (primary?.answer === null || primary === undefined) return null;
  if (node.answer?.inRecovery !== true) return null;
  const lag = primary.answer.lsn - node.answer.replayLsn;
  return lag > 0n ? Number(lag) : 0;
}
