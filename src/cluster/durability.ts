import type { Draft } from './draft.ts';
import { failoverLimits } from './failover-limits.ts';
import { type MemberWatch, nodeView } from './failover-state.ts';
import { isOfEpoch, type NodeView } from './node-view.ts';
import type { ProbeAnswer, StandbyRow } from './probe-answer.ts';
import type { Durability, ShardRecord } from './shard-record.ts';
import { synchronousOnly } from './synchronous-names.ts';

type Standby = { readonly node: NodeView; readonly name: string; readonly row: StandbyRow };

/**
 * Keeps the promise and the servers' settings in step, for an open shard without a task. The order is
 * what matters: the record says `armed` only after the standby has confirmed a position sampled while
 * commits already waited for it, and it says `solo` before commits stop waiting.
 */
export function keepDurability(draft: Draft, record: ShardRecord): void {
  const primary = nodeView(draft.state, record.primary)?.answer;
  if (draft.state.task !== null || primary === undefined || primary === null) return;
  const standbys = streamingStandbys(draft, record, primary);
  const { durability } = record;
  if (durability.kind === 'armed') {
    keepArmed(draft, record, durability, primary, standbys);
  } else {
    keepSolo(draft, record, primary, standbys);
  }
}

function keepArmed(
  draft: Draft,
  record: ShardRecord,
  { member }: Durability & { readonly kind: 'armed' },
  primary: ProbeAnswer,
  standbys: readonly Standby[],
): void {
  const standby = standbys.find(({ node }) => node.id === member);
  watchMember(draft, standby?.row ?? null, primary);
  const name = nodeView(draft.state, member)?.answer?.applicationName ?? null;
  const weakness = armedWeakness(draft, primary, name);
  if (weakness !== null) {
    if (draft.now < draft.state.durabilityRetryAt) return;
    draft.log('warn', 'commits no longer wait for the standby', { member, reason: weakness });
    saveDurability(draft, record, { kind: 'solo' });
    return;
  }
  const { armedStart } = draft.state;
  if (armedStart === primary.startedAt) return;
  if (armedStart !== null && !draft.state.restarted) {
    draft.log('warn', 'the primary restarted; verifying its standby', { member });
    draft.change({ restarted: true });
  }
  if (standby !== undefined) startArming(draft, record, standby);
}

/** Why `armed` is no longer true, or must be given up so that commits do not wait for ever. */
function armedWeakness(draft: Draft, primary: ProbeAnswer, name: string | null): string | null {
  const { missingSince, frozenSince } = draft.state.member;
  const names = primary.synchronousStandbyNames;
  if (!waitsForStandby(primary)) return `synchronous_commit is ${primary.synchronousCommit}`;
  // A member that has not answered since we started has told us no name to compare.
  if (names === '' || (name !== null && !synchronousOnly(names, name))) {
    return `synchronous_standby_names is '${names}'`;
  }
  if (missingSince !== null && draft.now - missingSince >= failoverLimits.degradeAfterMs) {
    return 'the standby does not stream';
  }
  if (draft.now - frozenSince >= failoverLimits.frozenAfterMs) {
    return 'the standby streams, but confirms nothing';
  }
  return null;
}

function keepSolo(
  draft: Draft,
  record: ShardRecord,
  primary: ProbeAnswer,
  standbys: readonly Standby[],
): void {
  const ready = standbys.find(
    ({ row }) => primary.lsn - row.flushLsn <= failoverLimits.lagBytesMax,
  );
  watchMember(draft, ready?.row ?? null, primary);
  if (draft.now < draft.state.durabilityRetryAt) return;
  if (ready !== undefined && waitsForStandby(primary)) {
    startArming(draft, record, ready);
    return;
  }
  const { missingSince } = draft.state.member;
  const missing =
    missingSince !== null && draft.now - missingSince >= failoverLimits.degradeAfterMs;
  if (missing && primary.synchronousStandbyNames !== '') {
    draft.log('warn', 'no standby streams: commits no longer wait for one', {
      primary: record.primary,
    });
    draft.start({ kind: 'disarm', primary: record.primary });
  }
}

function startArming(draft: Draft, record: ShardRecord, standby: Standby): void {
  if (draft.now < draft.state.durabilityRetryAt) return;
  draft.start({ kind: 'arm', primary: record.primary, applicationName: standby.name });
}

/** Called when an `arm` task has proved the member, to make it count. */
export function recordArmed(draft: Draft, applicationName: string, startedAt: string): void {
  const { record } = draft.state;
  if (record === null || draft.state.phase.kind !== 'open') return;
  const primary = nodeView(draft.state, record.primary)?.answer;
  if (primary?.startedAt !== startedAt) return;
  const node = draft.state.nodes.find((view) => view.answer?.applicationName === applicationName);
  if (node === undefined) return;
  draft.change({ armedStart: startedAt, restarted: false });
  if (record.durability.kind === 'armed' && record.durability.member === node.id) return;
  draft.log('info', 'armed: commits wait for the standby', { member: node.id });
  saveDurability(draft, record, { kind: 'armed', member: node.id });
}

function saveDurability(draft: Draft, record: ShardRecord, durability: Durability): void {
  draft.start({
    kind: 'save',
    record: { ...record, durability },
    expected: draft.state.revision,
  });
}

function watchMember(draft: Draft, row: StandbyRow | null, primary: ProbeAnswer): void {
  const { member } = draft.state;
  if (row === null) {
    const missingSince = member.missingSince ?? draft.now;
    draft.change({ member: { ...member, missingSince, frozenSince: draft.now } });
    return;
  }
  const moves = row.flushLsn >= primary.lsn || row.flushLsn !== member.flushLsn;
  const watch: MemberWatch = {
    missingSince: null,
    flushLsn: row.flushLsn,
    frozenSince: moves ? draft.now : member.frozenSince,
  };
  draft.change({ member: watch });
}

/** Standbys of this epoch that the primary streams to, known by an unambiguous name. */
function streamingStandbys(draft: Draft, record: ShardRecord, primary: ProbeAnswer): Standby[] {
  return draft.state.nodes.flatMap((node) => {
    const name = node.answer?.applicationName ?? null;
    if (name === null || node.answer?.inRecovery !== true || !isOfEpoch(node, record)) return [];
    const rows = primary.standbys.filter((row) => row.applicationName === name);
    const [row] = rows;
    if (row === undefined || rows.length > 1 || row.state !== 'streaming') return [];
    return [{ node, name, row }];
  });
}

function waitsForStandby(primary: ProbeAnswer): boolean {
  return primary.synchronousCommit === 'on' || primary.synchronousCommit === 'remote_apply';
}
