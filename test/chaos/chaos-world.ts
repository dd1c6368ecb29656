import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Client } from 'pg';
import { sleep, systemClock } from '../../src/base/clock.ts';
import { pointedTo } from '../../src/cluster/conninfo.ts';
import { findFreePorts } from '../../src/lab/free-port.ts';
import type { LabCluster } from '../../src/lab/lab-cluster.ts';
import type { LabShard } from '../../src/lab/lab-shard.ts';
import { pidTree, signalAll } from '../../src/lab/pid-tree.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import { Relay } from '../support/relay.ts';
import { ServedCluster } from '../support/served-cluster.ts';
import { chaosSchema } from './chaos-schema.ts';

/** The links of one node: from pgweave to it, and from it to its primary. */
type Links = { readonly front: Relay; readonly upstream: Relay };

export type ChaosOptions = {
  readonly standbys: number;
  readonly durability: 'sync' | 'strict' | 'async';
  /** YAML of more options under `failover`. */
  readonly failover?: string;
  /** No relay on any link, for figures: faults of links cannot be had then. */
  readonly direct?: boolean;
};

type RecordNote = { readonly epoch: number; readonly phase: string };

/** One shard behind `pgweave serve`, every link of which is in the hands of the test. */
export class ChaosWorld {
  readonly served: ServedCluster;
  readonly #links: ReadonlyMap<PostgresServer, Links>;

  private constructor(served: ServedCluster, links: ReadonlyMap<PostgresServer, Links>) {
    this.served = served;
    this.#links = links;
  }

  static async start(options: ChaosOptions): Promise<ChaosWorld> {
    const { standbys, durability, failover = '', direct = false } = options;
    let links: ReadonlyMap<PostgresServer, Links> = new Map();
    const accept = durability === 'async' ? ', accept_data_loss: true' : '';
    const served = await ServedCluster.start({
      shards: ['a'],
      standbys,
      schema: chaosSchema,
      preload: resolve('test/chaos/jumping-clock.mjs'),
      failover: `durability: ${durability}${accept}, ${failover}`,
      prepare: async (lab) => {
        if (direct) return ({ id }) => id;
        links = await relayAll(lab);
        return (node) => `127.0.0.1:${linksOf(links, node).front.port}`;
      },
    });
    const world = new ChaosWorld(served, links);
    await world.restore();
    return world;
  }

  get shard(): LabShard {
    return this.served.lab.shard('a');
  }

  front(node: PostgresServer): Relay {
    return linksOf(this.#links, node).front;
  }

  upstream(node: PostgresServer): Relay {
    return linksOf(this.#links, node).upstream;
  }

  async row(): Promise<{ readonly [column: string]: string | null }> {
    const [row] = await this.served.console('show shards');
    return row ?? {};
  }

  /** Promotions so far. */
  async failovers(): Promise<number> {
    return Number((await this.row())['failovers']);
  }

  /** Of the last promotion: milliseconds to its proof, the claim, the promotion, the release. */
  async steps(): Promise<readonly number[]> {
    const [last] = await this.served.console('show failovers');
    return ['confirmed_ms', 'claimed_ms', 'promoted_ms', 'opened_ms'].map((name) =>
      Number(last?.[name]),
    );
  }

  connect(): Promise<Client> {
    return this.served.connect();
  }

  until(what: string, reached: () => boolean | Promise<boolean>, timeoutMs: number): Promise<void> {
    return this.served.until(what, reached, timeoutMs);
  }

  /** As pgweave says; null: none. */
  async findPrimary(): Promise<PostgresServer | null> {
    const { primary } = await this.row();
    const port = Number(primary?.split(':').at(-1));
    return this.shard.nodes.find((node) => this.#portOf(node) === port) ?? null;
  }

  /** What is written down about the shard. */
  async record(): Promise<RecordNote> {
    const path = join(dirname(this.served.configPath), 'state', 'a.json');
    const { record } = JSON.parse(await readFile(path, 'utf8'));
    return { epoch: record.epoch, phase: record.phase.kind };
  }

  /** SIGKILL for the supervisor and its workers as soon as the record is as wanted. */
  async killProxyWhen(reached: (record: RecordNote) => boolean): Promise<void> {
    const pids = await pidTree(this.served.run.pid);
    const deadline = systemClock.now() + 20_000;
    while (!reached(await this.record())) {
      if (systemClock.now() > deadline) throw new Error('the record never came to that');
      await sleep(1);
    }
    signalAll(pids, 'SIGKILL');
  }

  #portOf(node: PostgresServer): number {
    return this.#links.get(node)?.front.port ?? node.port;
  }

  async primary(): Promise<PostgresServer> {
    const node = await this.findPrimary();
    if (node === null) throw new Error('the shard has no primary');
    return node;
  }

  async standbys(): Promise<readonly PostgresServer[]> {
    const primary = await this.primary();
    return this.shard.nodes.filter((node) => node !== primary);
  }

  /**
   * All links pass, all nodes run, one is primary and the others follow it by their own links. They hold
   * the same rows, which are then gone.
   */
  async restore(): Promise<void> {
    for (const { front, upstream } of this.#links.values()) {
      await front.set({ kind: 'pass' });
      await upstream.set({ kind: 'pass' });
    }
    for (const node of this.shard.nodes) if (node.pid !== null) await node.resume();
    await this.served.until('a primary', async () => (await this.findPrimary()) !== null, 30_000);
    const primary = await this.primary();
    for (const node of this.shard.nodes) {
      if (node === primary) continue;
      if (!(await this.#follows(node))) await this.#rebuild(node);
      if (this.#links.size > 0) await this.#pointToLink(node, primary);
    }
    await this.served.until('the shard to be settled', async () => this.#isSettled(), 30_000);
    await this.served.until('all nodes to hold the same', () => this.#holdTheSame(primary), 10_000);
    await withSession(primary, this.served.lab.login, (session) =>
      session.query('truncate entry, list'),
    );
  }

  async stop(): Promise<void> {
    for (const node of this.shard.nodes) {
      if (node.pid !== null) await node.resume();
    }
    await this.served.stop();
    for (const { front, upstream } of this.#links.values()) {
      await front.stop();
      await upstream.stop();
    }
  }

  /** Rows and line of history, whoever was rewound, copied or promoted before. */
  async #holdTheSame(primary: PostgresServer): Promise<boolean> {
    const question = `select count(*)::int as rows, md5(string_agg(e::text, ',' order by e.id)) as hash,
      (select uuid from pgweave.epoch order by epoch desc limit 1) as uuid from entry e`;
    const contents = await Promise.all(
      [primary, ...this.shard.nodes].map(async (node) =>
        withSession(node, this.served.lab.login, async (session) =>
          JSON.stringify((await session.query(question)).rows),
        ),
      ),
    );
    return new Set(contents).size === 1;
  }

  async #isSettled(): Promise<boolean> {
    const [row] = await this.served.console('show durability');
    const { state, waits_for: waitsFor } = row ?? {};
    const { state: phase, standbys } = await this.row();
    if (phase !== 'open') return false;
    const all = this.shard.nodes.length - 1;
    if (state === 'async') return standbys?.split(', ').length === all;
    return state === 'armed' && waitsFor?.split(', ').length === all;
  }

  /** Nothing while what the fault has begun still ends its sessions. */
  async #askWhetherItFollows(node: PostgresServer) {
    const { login } = this.served.lab;
    const question = `select pg_is_in_recovery() as standby,
        exists (select from pg_stat_wal_receiver where status = 'streaming') as streams`;
    const answer = withSession(node, login, (session) => session.query(question));
    return await answer.then(
      ({ rows }) => rows,
      () => [],
    );
  }

  /** A standby that still has a stream, or gets one again by itself. */
  async #follows(node: PostgresServer): Promise<boolean> {
    if (node.pid === null) return false;
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const rows = await this.#askWhetherItFollows(node);
      if (rows[0]?.standby === false) return false;
      if (rows[0]?.streams === true) return true;
      await sleep(100);
    }
    return false;
  }

  async #rebuild(node: PostgresServer): Promise<void> {
    await this.served.lab.rebuild(node);
  }

  async #pointToLink(node: PostgresServer, primary: PostgresServer): Promise<void> {
    const link = this.upstream(node);
    await link.leadTo(primary.port);
    await withSession(node, this.served.lab.login, async (session) => {
      const { rows } = await session.query("select current_setting('primary_conninfo') as now");
      const after = pointedTo(rows[0]?.now, { host: '127.0.0.1', port: link.port });
      if (after === rows[0]?.now) return;
      await session.query(`alter system set primary_conninfo = '${after.replaceAll("'", "''")}'`);
      await session.query('select pg_reload_conf()');
    });
  }
}

async function relayAll(lab: LabCluster): Promise<ReadonlyMap<PostgresServer, Links>> {
  const ports = [...(await findFreePorts(2 * lab.nodes.length))];
  const links = new Map<PostgresServer, Links>();
  for (const node of lab.nodes) {
    const front = await Relay.start(ports.pop() ?? 0, node.port);
    const upstream = await Relay.start(ports.pop() ?? 0, lab.shard('a').primary.port);
    links.set(node, { front, upstream });
  }
  return links;
}

function linksOf(links: ReadonlyMap<PostgresServer, Links>, node: PostgresServer): Links {
  const found = links.get(node);
  if (found === undefined) throw new Error(`${node.name} has no links`);
  return found;
}
