import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import type { HookCall } from '../../../src/cluster/failover/hook-call.ts';
import { runHook } from '../../../src/cluster/monitor/run-hook.ts';
import type { NodeAddress, NodeId } from '../../../src/config/config.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';

const shard = 'a' as ShardId;
const [one, two] = ['h1:5432', 'h2:5433'] as [NodeId, NodeId];
const nodes: readonly NodeAddress[] = [
  { id: one, host: 'h1', port: 5432, shard },
  { id: two, host: 'h2', port: 5433, shard },
];
const call: HookCall = {
  hook: 'rejoin',
  event: 'rejoin',
  shard,
  node: one,
  primary: two,
  epoch: 7,
  uuid: 'u7',
  timeline: 3,
  switchLsn: '0/5000000',
  message: 'come back',
};

let directory = '';

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pgweave-hooks-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function run(script: string, timeoutMs = 5000) {
  const file = join(directory, 'hook');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
  return await runHook({ file, timeoutMs }, call, { clock: systemClock, nodes });
}

describe('a hook', () => {
  it('is told everything in its environment', async () => {
    const target = join(directory, 'seen');
    expect(await run(`env | grep ^PGWEAVE_ | sort > ${target}`)).toEqual({ kind: 'done' });
    expect((await readFile(target, 'utf8')).split('\n')).toEqual([
      'PGWEAVE_EPOCH=7',
      'PGWEAVE_EVENT=rejoin',
      'PGWEAVE_MESSAGE=come back',
      'PGWEAVE_NODE=h1:5432',
      'PGWEAVE_NODE_HOST=h1',
      'PGWEAVE_NODE_PORT=5432',
      'PGWEAVE_PRIMARY=h2:5433',
      'PGWEAVE_PRIMARY_HOST=h2',
      'PGWEAVE_PRIMARY_PORT=5433',
      'PGWEAVE_SHARD=a',
      'PGWEAVE_SWITCH_LSN=0/5000000',
      'PGWEAVE_TIMELINE=3',
      'PGWEAVE_UUID=u7',
      '',
    ]);
  });

  it.each([
    ['exit 0', { kind: 'done' }],
    ['echo busy; exit 75', { kind: 'later', reason: 'busy' }],
    ['echo one; echo two >&2; exit 3', { kind: 'failed', reason: 'exit code 3: two' }],
    ['kill -9 $$', { kind: 'failed', reason: 'exit code null: ' }],
  ])('says what came of it: %s', async (script, outcome) => {
    expect(await run(script)).toEqual(outcome);
  });

  it('is ended after its time, with all that it started', async () => {
    const target = join(directory, 'late');
    const outcome = await run(`(sleep 0.7; touch ${target}) & sleep 0.7; touch ${target}`, 100);
    expect(outcome).toEqual({ kind: 'failed', reason: 'not done within 100 ms' });
    await run('sleep 1');
    await expect(readFile(target)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('may leave something running that holds its output', async () => {
    expect(await run('sleep 2 & exit 0')).toEqual({ kind: 'done' });
  });

  it('that cannot be run has failed', async () => {
    const program = { file: join(directory, 'nothing'), timeoutMs: 100 };
    const outcome = await runHook(program, call, { clock: systemClock, nodes });
    expect(outcome).toMatchObject({ kind: 'failed' });
  });
});
