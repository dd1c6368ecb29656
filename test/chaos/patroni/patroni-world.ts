import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { access, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { sleep } from '../../../src/base/clock.ts';
import { findFreePorts } from '../../../src/lab/free-port.ts';
import { isRunning, pidTree, signalAll } from '../../../src/lab/pid-tree.ts';
import { chooseServerAccount, type ServerAccount } from '../../../src/lab/server-account.ts';
import { waitUntil } from '../../../src/lab/wait-until.ts';
import type { Fault } from '../faults.ts';
import { haproxyConfig, type PatroniPlace, patroniConfig } from './patroni-config.ts';

/** What Patroni's own address says of a server. */
type Status = {
  readonly state: string;
  readonly role: string;
  readonly timeline?: number;
  readonly replication?: readonly { readonly sync_state: string }[];
};

const programs = ['/usr/bin/patroni', '/usr/bin/etcd', '/usr/sbin/haproxy'];

/** Two servers under Patroni, one etcd and HAProxy in front of them: what pgweave is compared with. */
export class PatroniWorld {
  readonly #directory: string;
  readonly #account: ServerAccount | null;
  readonly #places: readonly PatroniPlace[];
  readonly #port: number;
  readonly #children = new Map<string, ChildProcess>();

  private constructor(
    directory: string,
    account: ServerAccount | null,
    places: readonly PatroniPlace[],
    port: number,
  ) {
    this.#directory = directory;
    this.#account = account;
    this.#places = places;
    this.#port = port;
  }

  static async start(): Promise<PatroniWorld> {
    for (const path of programs) {
      const there = await access(path).then(
        () => true,
        () => false,
      );
      if (there) continue;
      throw new Error(
        `${path} is missing: apt-get install patroni python3-etcd etcd-server haproxy postgresql`,
      );
    }
    const account = await chooseServerAccount();
    const directory = await mkdtemp(join(tmpdir(), 'pgweave-patroni-'));
    const [port = 0, etcdPort = 0, peerPort = 0, ...ports] = await findFreePorts(7);
    const binaries = await newestBinaries();
    const places = ['n1', 'n2'].map((name, index) => ({
      name,
      dataDirectory: join(directory, name),
      port: ports[2 * index] ?? 0,
      restPort: ports[2 * index + 1] ?? 0,
      etcdPort,
      binaries,
    }));
    const world = new PatroniWorld(directory, account, places, port);
    try {
      await world.#begin(etcdPort, peerPort);
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  async connect(user = 'app'): Promise<Client> {
    const client = new Client({
      host: '127.0.0.1',
      port: this.#port,
      user,
      database: 'postgres',
    });
    client.on('error', () => {});
    await client.connect();
    return client;
  }

  async until(
    what: string,
    reached: () => boolean | Promise<boolean>,
    timeoutMs = 60_000,
  ): Promise<void> {
    if (await waitUntil(reached, { timeoutMs, pollMs: 50 })) return;
    throw new Error(`waited ${timeoutMs} ms for ${what}; see ${this.#directory}`);
  }

  /** Its timeline grows with each promotion. */
  async failovers(): Promise<number> {
    const statuses = await this.#statuses();
    return Math.max(...statuses.map((status) => status?.timeline ?? 0));
  }

  async steps(): Promise<readonly number[]> {
    return [];
  }

  /** Both run, one is primary, and its commits wait for the other. */
  async restore(): Promise<void> {
    await this.until(
      'a primary with a synchronous standby',
      async () => {
        const statuses = await this.#statuses();
        const primary = statuses.find((status) => isPrimary(status));
        return (
          statuses.every((status) => status?.state === 'running') &&
          primary?.replication?.some(({ sync_state }) => sync_state === 'sync') === true
        );
      },
      120_000,
    );
    await this.until('HAProxy to know', async () => {
      const client = await this.connect('postgres').catch(() => null);
      await client?.end();
      return client !== null;
    });
  }

  /** Of the primary's server, the postmaster first, and of its Patroni. */
  async primaryPids(): Promise<{
    readonly server: readonly number[];
    readonly agent: readonly number[];
  }> {
    const statuses = await this.#statuses();
    const place = this.#places[statuses.findIndex((status) => isPrimary(status))];
    if (place === undefined) throw new Error('there is no primary');
    const text = await readFile(join(place.dataDirectory, 'postmaster.pid'), 'utf8');
    const agent = await pidTree(this.#children.get(place.name)?.pid ?? 0);
    return { server: await pidTree(Number(text.split('\n')[0])), agent };
  }

  async switchover(): Promise<void> {
    const statuses = await this.#statuses();
    const index = statuses.findIndex((status) => isPrimary(status));
    const [leader, candidate] = [this.#places[index], this.#places[1 - index]];
    // Refused for some seconds after the standby has become synchronous.
    let refusal = '';
    await this.until('Patroni to accept a switchover', async () => {
      const answer = await fetch(`http://127.0.0.1:${leader?.restPort}/switchover`, {
        method: 'POST',
        body: JSON.stringify({ leader: leader?.name, candidate: candidate?.name }),
      });
      refusal = `${answer.status} ${await answer.text()}`;
      return answer.ok;
    }).catch((error: unknown) => {
      throw new Error(`switchover: ${refusal}`, { cause: error });
    });
  }

  async stop(): Promise<void> {
    const children = [...this.#children.values()];
    const pids = await Promise.all(children.map(({ pid = 0 }) => pidTree(pid)));
    for (const tree of pids) signalAll(tree, 'SIGCONT');
    // Patroni ends its server.
    for (const child of children.toReversed()) child.kill('SIGTERM');
    const all = pids.flat();
    await waitUntil(() => !all.some(isRunning), { timeoutMs: 20_000, pollMs: 50 });
    signalAll(all, 'SIGKILL');
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #begin(etcdPort: number, peerPort: number): Promise<void> {
    await this.#own(this.#directory);
    for (const place of this.#places) {
      await writeFile(join(this.#directory, `${place.name}.yml`), patroniConfig(place));
    }
    await writeFile(join(this.#directory, 'haproxy.cfg'), haproxyConfig(this.#port, this.#places));
    const [client, peer] = [`http://127.0.0.1:${etcdPort}`, `http://127.0.0.1:${peerPort}`];
    this.#run('etcd', '/usr/bin/etcd', [
      ...['--data-dir', join(this.#directory, 'etcd')],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', `default=${peer}`],
    ]);
    await sleep(1000);
    for (const { name } of this.#places) {
      this.#run(name, '/usr/bin/patroni', [join(this.#directory, `${name}.yml`)]);
    }
    this.#run('haproxy', '/usr/sbin/haproxy', ['-db', '-f', join(this.#directory, 'haproxy.cfg')]);
    await this.restore();
    const admin = await this.connect('postgres');
    await admin.query(schema);
    await admin.end();
  }

  async #own(path: string): Promise<void> {
    await mkdir(path, { recursive: true });
    if (this.#account !== null) await chown(path, this.#account.uid, this.#account.gid);
  }

  #run(name: string, program: string, args: readonly string[]): void {
    const log = openSync(join(this.#directory, `${name}.log`), 'a');
    const child = spawn(program, [...args], {
      cwd: this.#directory,
      env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC', HOME: this.#directory },
      stdio: ['ignore', log, log],
      ...this.#account,
    });
    child.on('error', () => {});
    closeSync(log);
    this.#children.set(name, child);
  }

  async #statuses(): Promise<readonly (Status | null)[]> {
    return await Promise.all(
      this.#places.map(async ({ restPort }) => {
        try {
          const signal = AbortSignal.timeout(2000);
          const answer = await fetch(`http://127.0.0.1:${restPort}/patroni`, { signal });
          return (await answer.json()) as Status;
        } catch {
          return null;
        }
      }),
    );
  }
}

function isPrimary(status: Status | null): boolean {
  return status?.role === 'master' || status?.role === 'primary';
}

async function newestBinaries(): Promise<string> {
  const root = '/usr/lib/postgresql';
  const versions = (await readdir(root)).map(Number).sort((a, b) => b - a);
  return `${root}/${versions[0]}/bin`;
}

/** Rows carry the timeline where ours carry the epoch. */
const schema = `
  create role app login;
  create function serving_epoch() returns int language sql as
    $$ select ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int $$;
  create table entry (
    id int primary key, note text,
    epoch int default serving_epoch(), port int default inet_server_port());
  create table list (key int primary key, items int[] not null);
  grant all on entry, list to app`;

const once = { min: 1, max: 1 };

/** The same faults of the servers; the agents go on. */
export const patroniFaults: readonly Fault<PatroniWorld>[] = [
  {
    name: 'F1',
    title: 'kill -9 of the primary',
    failovers: once,
    async inject(world) {
      const { server } = await world.primaryPids();
      signalAll(server.slice(0, 1), 'SIGKILL');
    },
  },
  {
    name: 'F2',
    title: 'SIGSTOP of all its processes, woken 40 s later',
    failovers: { min: 0, max: 1 },
    async inject(world) {
      const { server } = await world.primaryPids();
      await freeze(server);
    },
  },
  {
    name: 'F2A',
    title: 'the same with its Patroni, as a machine that hangs',
    failovers: { min: 0, max: 1 },
    async inject(world) {
      const { server, agent } = await world.primaryPids();
      await freeze([...agent, ...server]);
    },
  },
  {
    name: 'F23',
    title: 'planned switchover',
    failovers: once,
    inject: (world) => world.switchover(),
  },
];

async function freeze(pids: readonly number[]): Promise<void> {
  signalAll(pids, 'SIGSTOP');
  await sleep(40_000);
  signalAll(pids, 'SIGCONT');
}
