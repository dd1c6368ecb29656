import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ShardRecord } from '../../../src/cluster/failover/shard-record.ts';
import { FileRecordStore } from '../../../src/cluster/monitor/file-record-store.ts';
import type { NodeId } from '../../../src/config/config.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';

const record: ShardRecord = {
  shard: 'a' as ShardId,
  epoch: 3,
  uuid: 'u3',
  systemId: '7',
  timeline: 2,
  primary: 'h:1' as NodeId,
  durability: { kind: 'armed', members: ['h:2' as NodeId], quorum: 1 },
  phase: { kind: 'open' },
  paused: false,
  switchLsn: '0/3000148',
};

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgweave-records-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe('the record store', () => {
  it('has nothing at first', async () => {
    expect(await new FileRecordStore(directory).load(record.shard)).toBeNull();
  });

  it('gives back what was saved, also to the next supervisor', async () => {
    const state = join(directory, 'made', 'on', 'demand');
    expect(await new FileRecordStore(state).save(record, 0)).toBe(1);
    const stored = await new FileRecordStore(state).load(record.shard);
    expect(stored).toEqual({ revision: 1, record });
    expect(await readdir(state)).toEqual(['a.json']);
  });

  it('refuses a save on top of a revision that was not read', async () => {
    const store = new FileRecordStore(directory);
    await store.save(record, 0);
    expect(await store.save({ ...record, epoch: 4 }, 0)).toBeNull();
    expect((await store.load(record.shard))?.record.epoch).toBe(3);
    const stored = await new FileRecordStore(directory).load(record.shard);
    expect(await store.save({ ...(stored?.record ?? record), epoch: 4 }, 1)).toBe(2);
    expect(await new FileRecordStore(directory).load(record.shard)).toEqual({
      revision: 2,
      record: { ...record, epoch: 4 },
    });
  });

  it.each([
    '',
    '{',
    '{"shard":"a"}',
    JSON.stringify({ revision: 1, record: { ...record, phase: {} } }),
  ])('says that a record is damaged: %s', async (text) => {
    await writeFile(join(directory, 'a.json'), text);
    await expect(new FileRecordStore(directory).load(record.shard)).rejects.toMatchObject({
      sqlState: '58030',
      message: `cluster record ${join(directory, 'a.json')} is damaged`,
    });
  });

  it('says why it cannot write', async () => {
    await writeFile(join(directory, 'file'), '');
    const store = new FileRecordStore(join(directory, 'file'));
    await expect(store.save(record, 0)).rejects.toMatchObject({ sqlState: '58030' });
  });
});
