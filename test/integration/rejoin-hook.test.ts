import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import type { HookCall } from '../../src/cluster/failover/hook-call.ts';
import { runHook } from '../../src/cluster/monitor/run-hook.ts';
import type { NodeAddress, NodeId } from '../../src/config/config.ts';
import { findFreePorts } from '../../src/lab/free-port.ts';
import { chooseServerAccount, type ServerAccount } from '../../src/lab/server-account.ts';
import { waitUntil } from '../../src/lab/wait-until.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';

// The embedded binaries have no pg_rewind and no pg_basebackup: this needs a whole PostgreSQL.
const binaries = findBinaries();
const execute = promisify(execFile);

let directory = '';
let account: ServerAccount | null = null;
let nodes: readonly NodeAddress[] = [];

function findBinaries(): string | null {
  const root = '/usr/lib/postgresql';
  const versions = existsSync(root) ? readdirSync(root) : [];
  const places = versions.map((version) => join(root, version, 'bin'));
  return places.find((place) => existsSync(join(place, 'pg_rewind'))) ?? null;
}

async function tool(name: string, ...args: readonly string[]): Promise<void> {
  const options = { cwd: '/', env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, ...account };
  await execute(join(binaries ?? '', name), args, options);
}

function data(index: number): string {
  return join(directory, `data${index}`);
}

async function ask(index: number, sql: string): Promise<readonly Record<string, unknown>[]> {
  const { host = '', port = 0 } = nodes[index] ?? {};
  const client = new Client({ host, port, user: 'postgres', database: 'postgres' });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function start(index: number): Promise<void> {
  const options = `-p ${nodes[index]?.port}`;
  await tool('pg_ctl', '-D', data(index), '-w', '-o', options, '-l', `${data(index)}.log`, 'start');
}

/** Two servers of one cluster that both take writes: what a failover leaves behind. */
async function part(): Promise<void> {
  await tool('initdb', '-D', data(0), '-U', 'postgres', '-A', 'trust', '-k', '--no-sync');
  const settings = `listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
wal_keep_size = '64MB'
`;
  await writeFile(join(data(0), 'extra.conf'), settings);
  if (account !== null) await chown(join(data(0), 'extra.conf'), account.uid, account.gid);
  await execute('/bin/sh', ['-c', `echo "include 'extra.conf'" >> ${data(0)}/postgresql.conf`]);
  await start(0);
  await ask(0, 'create table line (text text)');
  const source = `host=127.0.0.1 port=${nodes[0]?.port} user=postgres`;
  await tool('pg_basebackup', '-D', data(1), '-d', source, '-R', '-c', 'fast');
  await start(1);
  await ask(1, 'select pg_promote()');
  await ask(0, "insert into line values ('lost')");
  await ask(1, "insert into line values ('kept')");
  await ask(1, "alter system set synchronous_standby_names = 'travels'");
  await ask(1, 'checkpoint');
}

async function rejoin(timeline: number) {
  const script = join(directory, 'rejoin.sh');
  await copyFile(join(import.meta.dirname, '../../hooks/rejoin.sh'), script);
  await chmod(script, 0o755);
  const wrapper = join(directory, 'wrapper');
  const as =
    account === null ? '' : `setpriv --reuid=${account.uid} --regid=${account.gid} --clear-groups`;
  await writeFile(
    wrapper,
    `#!/bin/sh
export PGDATA=${data(0)} PGBIN=${binaries} REJOIN_LOG=${data(0)}.log PGPORT=${nodes[0]?.port}
cd / && exec ${as} ${script}
`,
  );
  await chmod(wrapper, 0o755);
  const [old, current] = nodes;
  if (old === undefined || current === undefined) throw new Error('no nodes');
  const call: HookCall = {
    hook: 'rejoin',
    event: 'rejoin',
    shard: old.shard,
    node: old.id,
    primary: current.id,
    epoch: 2,
    uuid: 'u2',
    timeline,
    switchLsn: null,
    message: '',
  };
  const program = { file: wrapper, timeoutMs: 60_000 };
  return await runHook(program, call, { clock: systemClock, nodes });
}

async function untilStreaming(): Promise<void> {
  const streams = await waitUntil(
    async () => (await ask(1, 'select from pg_stat_replication')).length === 1,
    { timeoutMs: 20_000, pollMs: 50 },
  );
  expect(streams).toBe(true);
}

describe.skipIf(binaries === null)('the rejoin script that comes with pgweave', () => {
  beforeAll(async () => {
    account = await chooseServerAccount();
    directory = await mkdtemp(join(tmpdir(), 'pgweave-rejoin-'));
    await chmod(directory, 0o777);
    const ports = await findFreePorts(2);
    nodes = ports.map((port) => ({
      id: `127.0.0.1:${port}` as NodeId,
      host: '127.0.0.1',
      port,
      shard: 'a' as ShardId,
    }));
    await part();
  });

  afterAll(async () => {
    for (const index of [0, 1]) {
      await tool('pg_ctl', '-D', data(index), '-m', 'immediate', 'stop').catch(() => {});
    }
    await rm(directory, { recursive: true, force: true });
  });

  it('rewinds a server that has gone its own way', async () => {
    expect(await rejoin(2)).toEqual({ kind: 'done' });
    await untilStreaming();
    expect(await ask(0, 'select text, pg_is_in_recovery() as standby from line')).toEqual([
      { text: 'kept', standby: true },
    ]);
    // The settings of the primary travelled with its files, and were left behind.
    expect(await ask(0, 'show synchronous_standby_names')).toEqual([
      { synchronous_standby_names: '' },
    ]);
    expect(await ask(1, 'select application_name from pg_stat_replication')).toEqual([
      { application_name: nodes[0]?.id },
    ]);
  });

  it('copies one that may be a twin of the same timeline', async () => {
    await ask(0, 'select pg_promote()');
    await ask(0, "insert into line values ('lost again')");
    // What pgweave would say if the new primary had got there by another way.
    expect(await rejoin(1)).toEqual({ kind: 'done' });
    await untilStreaming();
    expect(await ask(0, 'select text from line')).toEqual([{ text: 'kept' }]);
  });

  it('lets one run at a time', async () => {
    await mkdir(`${data(0)}.rejoin`);
    expect(await rejoin(2)).toMatchObject({ kind: 'later' });
    await rm(`${data(0)}.rejoin`, { recursive: true });
  });
});
