import { unreachable } from '../base/assert.ts';
import type { ClusterStatus, ShardStatus } from '../cluster/cluster-status.ts';
import type { PastFailover } from '../cluster/failover/past-failover.ts';
import { holdText } from '../cluster/hold-times.ts';
import type { Table } from './show-tables.ts';

/** Changes of primaries, the latest first. */
export function failoversTable(entries: readonly PastFailover[]): Table {
  return {
    columns: [
      'opened_at',
      'shard',
      'cause',
      'from',
      'to',
      'epoch',
      'confirmed_ms',
      'claimed_ms',
      'promoted_ms',
      'opened_ms',
      'reason',
      'findings',
      'first_commit_ms',
      'streaming',
      'left',
      'waits',
      'errors',
    ],
    rows: entries
      .toReversed()
      .map((entry) => [
        new Date(entry.openedAt).toISOString(),
        entry.shard,
        entry.cause,
        entry.from,
        entry.to,
        String(entry.epoch),
        ...[entry.confirmedMs, entry.claimedMs, entry.promotedMs, entry.openedMs].map(String),
        entry.reason === '' ? null : entry.reason,
        entry.findings.length === 0 ? null : entry.findings.join('; '),
        ...checkCells(entry.check),
      ]),
  };
}

function checkCells(check: PastFailover['check']): (string | null)[] {
  if (check === null) return [null, null, null, null, null];
  const { firstCommitMs, streaming, left, holds, errors } = check;
  const told = Object.entries(errors).map(([sqlState, count]) => `${count} of ${sqlState}`);
  return [
    firstCommitMs === null ? null : String(firstCommitMs),
    streaming.join(', '),
    left.length === 0 ? null : left.join('; '),
    holdText(holds),
    told.join(', '),
  ];
}

/** What each shard promises about acknowledged commits, and whether it could fail over now. */
export function durabilityTable(status: ClusterStatus): Table {
  return {
    columns: ['shard', 'mode', 'state', 'waits_for', 'paused', 'promotion', 'meaning', 'findings'],
    rows: status.shards.map((shard) => [
      shard.shard,
      shard.mode,
      shard.durability,
      waitsFor(shard),
      shard.paused ? 'yes' : 'no',
      shard.noPromotion === '' ? 'automatic' : `none: ${shard.noPromotion}`,
      meaning(shard),
      shard.alarms.length === 0 ? null : shard.alarms.join('; '),
    ]),
  };
}

function waitsFor({ durability, members, quorum }: ShardStatus): string | null {
  if (durability !== 'armed') return null;
  return `${quorum} of ${members.join(', ')}`;
}

function meaning({ durability, writesStuck, mode }: ShardStatus): string {
  if (writesStuck) return 'the primary acknowledges no write now';
  switch (durability) {
    case 'armed':
      return 'no acknowledged commit is lost with the primary';
    case 'arming':
      return 'a standby is being verified; until then what is acknowledged is sure on the primary only';
    case 'solo':
      return mode === 'strict'
        ? 'commits wait for a standby, none has been verified'
        : 'what is acknowledged is on the disk of the primary only';
    case 'async':
      return 'commits wait for nobody: the last ones can be lost with the primary';
    case 'none':
      return mode === 'external' ? 'as whoever promotes it says' : 'there is no standby';
    default:
      return unreachable(durability);
  }
}
