import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PastFailover, pastFailover } from '../../../src/cluster/failover/past-failover.ts';
import { FileJournal } from '../../../src/cluster/monitor/file-journal.ts';
import type { NodeId } from '../../../src/config/config.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';

const entry: PastFailover = pastFailover(
  {
    shard: 'a' as ShardId,
    cause: 'failure',
    from: 'h:1' as NodeId,
    to: 'h:2' as NodeId,
    epoch: 2,
    suspectedAt: 1000,
    confirmedAt: 1060.4,
    claimedAt: 1070,
    promotedAt: 1120,
    openedAt: 1131.7,
    reason: 'it refuses connections',
    findings: ['something'],
  },
  1_700_000_000_000,
);

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgweave-journal-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('the journal of failovers', () => {
  it('tells durations, counted from the first suspicion', () => {
    const { confirmedMs, claimedMs, promotedMs, openedMs } = entry;
    expect([confirmedMs, claimedMs, promotedMs, openedMs]).toEqual([60, 70, 120, 132]);
  });

  it('survives a restart, and a line that a crash has torn', async () => {
    const state = join(directory, 'made', 'on', 'demand');
    const journal = await FileJournal.open(state);
    expect(journal.entries).toEqual([]);
    await journal.append(entry);
    await appendFile(join(state, 'failovers.jsonl'), '{"shard":"a","cau\n[1]\n');
    await journal.append({ ...entry, epoch: 3 });
    const next = await FileJournal.open(state);
    expect(next.entries).toEqual([entry, { ...entry, epoch: 3 }]);
  });

  it('adds to an entry what was found later, also over a restart', async () => {
    const journal = await FileJournal.open(directory);
    await journal.append(entry);
    const { shard, epoch } = entry;
    const check = {
      firstCommitMs: 200,
      streaming: [],
      durability: 'solo',
      holds: [],
      errors: {},
      left: ['something'],
    };
    await journal.complete({ shard, epoch, check });
    await journal.complete({ shard, epoch: epoch + 1, check });
    expect(journal.entries).toEqual([{ ...entry, check }]);
    expect((await FileJournal.open(directory)).entries).toEqual([{ ...entry, check }]);
  });

  it('remembers the last hundred, also when the disk takes nothing', async () => {
    const journal = await FileJournal.open(join(directory, 'file', 'below'));
    await appendFile(join(directory, 'file'), '');
    for (let epoch = 1; epoch <= 101; epoch += 1) {
      await expect(journal.append({ ...entry, epoch })).rejects.toThrow();
    }
    expect(journal.entries.map(({ epoch }) => epoch).slice(0, 2)).toEqual([2, 3]);
    expect(journal.entries).toHaveLength(100);
  });
});
