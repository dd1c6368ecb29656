import type { NodeId } from '../../config/config.ts';
import type { Draft } from './draft.ts';
import { failoverLimits } from './failover-limits.ts';
import { nodeView } from './failover-state.ts';
import type { ProbeAnswer } from './probe-answer.ts';
import type { Durability, ShardRecord } from './shard-record.ts';
import {
  isFrozen,
  isLost,
  type Standby,
  streamingStandbys,
  watchStandbys,
} from './standby-watch.ts';
import { namesFor, waitsFor, waitsForAllOf } from './synchronous-names.ts';
import { waitWeakness } from './synchronous-wait.ts';

type Armed = Durability & { readonly kind: 'armed' };
type Target = Omit<Armed, 'kind'>;

/**
 * Keeps the promise and the servers' settings in step, for an open shard without another task. The order is
 * what matters: the record says `armed` only after the standbys have confirmed a position sampled
 * while commits already waited for them, and it says `solo` before commits stop waiting. Between two
 * armed sets the record first names all of both with the lesser quorum, which is true before, during
 * and after the change of the setting.
 */
export function keepDurability(draft: Draft, record: ShardRecord): void {
  const primary = nodeView(draft.state, record.primary)?.answer;
  if (primary === undefined || primary === null) return;
  const standbys = streamingStandbys(draft.state, record, primary);
  watchStandbys(draft, record, standbys, primary);
  forgetVainArming(draft);
  if (draft.state.task !== null) return;
  const { durability } = record;
  if (draft.state.settings.durability === 'async') {
    keepAsync(draft, record, primary);
  } else if (durability.kind === 'armed') {
    keepArmed(draft, record, durability, primary, standbys);
  } else {
    keepUnarmed(draft, record, primary, standbys);
  }
}

/** Commits must not wait for as long as a verification does for a standby that has gone meanwhile. */
function forgetVainArming(draft: Draft): void {
  const work = draft.state.task?.work;
  if (work?.kind === 'arm' && work.members.some((id) => isLost(draft, id))) {
    draft.change({ task: null });
  }
}

function keepArmed(
  draft: Draft,
  record: ShardRecord,
  durability: Armed,
  primary: ProbeAnswer,
  standbys: readonly Standby[],
): void {
  const staying = durability.members.filter((id) => !isLost(draft, id));
  const target = targetOf(draft, [...staying, ...readyOf(draft, primary, standbys)]);
  const isStrict = draft.state.settings.durability === 'strict';
  const weakness =
    settingWeakness(draft, primary, durability) ??
    (target === null && !isStrict ? lossReason(draft, durability) : null);
  if (weakness !== null) {
    if (draft.now < draft.state.durabilityRetryAt) return;
    const { members } = durability;
    draft.log('warn', 'commits no longer wait for a standby', { members, reason: weakness });
    saveDurability(draft, record, { kind: 'solo' });
    return;
  }
  const { armedStart } = draft.state;
  if (armedStart !== null && armedStart !== primary.startedAt && !draft.state.restarted) {
    const { members } = durability;
    draft.log('warn', 'the primary restarted; verifying its standby', { members });
    draft.change({ restarted: true });
  }
  if (target === null) return;
  const isSettled = sameSet(target, durability) && settingNames(draft, primary, durability);
  if (armedStart === primary.startedAt && isSettled) return;
  // One that may be about to stream again is waited for.
  if (target.members.every((id) => standbys.some(({ node }) => node.id === id))) {
    approach(draft, record, durability, target);
  }
}

/** One step from an armed set to another one. */
function approach(draft: Draft, record: ShardRecord, durability: Armed, target: Target): void {
  const both = [...durability.members, ...target.members];
  const wide: Armed = {
    kind: 'armed',
    members: draft.state.nodes.map(({ id }) => id).filter((id) => both.includes(id)),
    quorum: Math.min(durability.quorum, target.quorum),
  };
  if (draft.now < draft.state.durabilityRetryAt) return;
  if (!sameSet(wide, durability)) saveDurability(draft, record, wide);
  else startArming(draft, record, target);
}

function keepUnarmed(
  draft: Draft,
  record: ShardRecord,
  primary: ProbeAnswer,
  standbys: readonly Standby[],
): void {
  if (draft.now < draft.state.durabilityRetryAt) return;
  const target = targetOf(draft, readyOf(draft, primary, standbys));
  if (target !== null && waitWeakness(primary) === null) {
    startArming(draft, record, target);
    return;
  }
  const names = primary.synchronousStandbyNames;
  if (draft.state.settings.durability === 'strict') {
    if (names === '') relax(draft, record, namesOfAll(draft, record.primary));
    return;
  }
  const alone = draft.state.watches.every(({ node }) => isLost(draft, node));
  if (alone && names !== '') relax(draft, record, '');
}

function keepAsync(draft: Draft, record: ShardRecord, primary: ProbeAnswer): void {
  if (draft.now < draft.state.durabilityRetryAt) return;
  if (record.durability.kind !== 'async') {
    saveDurability(draft, record, { kind: 'async' });
  } else if (primary.synchronousStandbyNames !== '') {
    relax(draft, record, '');
  }
}

function relax(draft: Draft, record: ShardRecord, names: string): void {
  draft.log('warn', 'commits wait for other standbys from now on', {
    primary: record.primary,
    names,
  });
  draft.start({ kind: 'disarm', primary: record.primary, names });
}

/** Why the server's own settings do not keep what the record promises. */
function settingWeakness(draft: Draft, primary: ProbeAnswer, durability: Armed): string | null {
  const setting = primary.synchronousStandbyNames;
  const weakness = waitWeakness(primary);
  if (weakness !== null) return weakness;
  const names = durability.members.map((id) => applicationName(draft, id));
  const known = names.filter((name) => name !== null);
  // A member that has not answered since we started has told us no name to compare.
  const comparable = known.length === names.length;
  const fits = waitsFor(setting, { count: durability.quorum, names: known });
  if (setting !== '' && (fits || !comparable)) return null;
  return `synchronous_standby_names is '${setting}'`;
}

/** The server waits for the whole set, not only for a part that would do. */
function settingNames(draft: Draft, primary: ProbeAnswer, { members, quorum }: Armed): boolean {
  const names = members.map((id) => applicationName(draft, id)).filter((name) => name !== null);
  if (names.length < members.length) return true;
  return waitsForAllOf(primary.synchronousStandbyNames, { count: quorum, names });
}

function lossReason(draft: Draft, { members }: Armed): string {
  return members.every((id) => isFrozen(draft, id))
    ? 'the standby streams, but confirms nothing'
    : 'the standby does not stream';
}

/** The best promise that these nodes allow; null: none that the mode allows. */
function targetOf(draft: Draft, ids: readonly NodeId[]): Target | null {
  const { durability, synchronousStandbys } = draft.state.settings;
  const members = draft.state.nodes.map(({ id }) => id).filter((id) => ids.includes(id));
  const needed = durability === 'strict' ? synchronousStandbys : 1;
  if (members.length < needed) return null;
  return { members, quorum: Math.min(synchronousStandbys, members.length) };
}

/** Near enough for commits to wait for them. */
function readyOf(
  draft: Draft,
  primary: ProbeAnswer,
  standbys: readonly Standby[],
): readonly NodeId[] {
  return standbys
    .filter(({ node, row }) => {
      const near = primary.lsn - row.flushLsn <= failoverLimits.lagBytesMax;
      return near && !isLost(draft, node.id);
    })
    .map(({ node }) => node.id);
}

function startArming(draft: Draft, record: ShardRecord, { members, quorum }: Target): void {
  const names = members.map((id) => applicationName(draft, id));
  const known = names.filter((name) => name !== null);
  if (known.length < names.length) return;
  const set = { count: quorum, names: known };
  draft.start({ kind: 'arm', primary: record.primary, members, set });
}

/** Called when an `arm` task has proved the members, to make them count. */
export function recordArmed(
  draft: Draft,
  members: readonly NodeId[],
  { quorum, startedAt }: { readonly quorum: number; readonly startedAt: string },
): void {
  const { record, settings } = draft.state;
  if (record === null || draft.state.phase.kind !== 'open') return;
  const primary = nodeView(draft.state, record.primary)?.answer;
  if (primary?.startedAt !== startedAt || settings.durability === 'async') return;
  draft.change({ armedStart: startedAt, restarted: false });
  const { durability } = record;
  if (durability.kind === 'armed' && sameSet(durability, { members, quorum })) return;
  draft.log('info', 'armed: commits wait for a standby', { members, quorum });
  saveDurability(draft, record, { kind: 'armed', members, quorum });
}

function saveDurability(draft: Draft, record: ShardRecord, durability: Durability): void {
  if (durability.kind !== record.durability.kind) {
    draft.notify(durability.kind, `durability of shard "${record.shard}" is ${durability.kind}`);
  }
  draft.start({
    kind: 'save',
    record: { ...record, durability },
    expected: draft.state.revision,
  });
}

/** For a primary that must not commit alone: whoever of the others comes first. */
export function namesOfAll(draft: Draft, primary: NodeId): string {
  const others = draft.state.nodes.filter(({ id }) => id !== primary);
  const names = others.map(({ id, answer }) => answer?.applicationName ?? id);
  return namesFor({ count: draft.state.settings.synchronousStandbys, names });
}

function applicationName(draft: Draft, id: NodeId): string | null {
  return nodeView(draft.state, id)?.answer?.applicationName ?? null;
}

function sameSet(a: Target, b: Target): boolean {
  return (
    a.quorum === b.quorum &&
    a.members.length === b.members.length &&
    a.members.every((id) => b.members.includes(id))
  );
}
