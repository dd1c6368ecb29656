import { sleep } from '../../src/base/clock.ts';
import { findFreePorts } from '../../src/lab/free-port.ts';
import { pidTree, signalAll } from '../../src/lab/pid-tree.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import { ServedCluster } from '../support/served-cluster.ts';
import { TappedRelay } from '../support/tapped-relay.ts';
import { borderId, commitSchema, commitTables, fillTpcb } from './commit-tables.ts';

export type ShardName = 'a' | 'b';

/** Two shards with a standby each, and a link from pgweave to each node that can be tapped. */
export class CommitWorld {
  readonly served: ServedCluster;
  readonly #relays: ReadonlyMap<PostgresServer, TappedRelay>;

  private constructor(served: ServedCluster, relays: ReadonlyMap<PostgresServer, TappedRelay>) {
    this.served = served;
    this.#relays = relays;
  }

  /** `tables`: YAML of more of them. */
  static async start(tables: readonly string[] = []): Promise<CommitWorld> {
    const relays = new Map<PostgresServer, TappedRelay>();
    const served = await ServedCluster.start({
      shards: ['a', 'b'],
      standbys: 1,
      schema: commitSchema,
      tables: [...commitTables, ...tables],
      limits: 'hold_max: 20s',
      prepare: async (lab) => {
        const ports = [...(await findFreePorts(lab.nodes.length))];
        for (const node of lab.nodes) {
          relays.set(node, await TappedRelay.start(ports.pop() ?? 0, node.port));
        }
        return (node) => `127.0.0.1:${relays.get(node)?.port}`;
      },
    });
    const world = new CommitWorld(served, relays);
    // All shards were given the first one's ids.
    await world.ask(served.lab.shard('b').primary, `update entry set id = id + ${borderId}`);
    await served.untilArmed();
    const client = await served.connect();
    await fillTpcb(client);
    await client.end();
    return world;
  }

  /** As pgweave says. */
  async primary(shard: ShardName): Promise<PostgresServer> {
    const rows = await this.served.console('show shards');
    const address = rows.find((row) => row['shard'] === shard)?.['primary'] ?? null;
    const node = this.served.lab
      .shard(shard)
      .nodes.find((one) => address === `127.0.0.1:${this.relay(one).port}`);
    if (node === undefined) throw new Error(`shard ${shard} has no primary`);
    return node;
  }

  relay(node: PostgresServer): TappedRelay {
    const relay = this.#relays.get(node);
    if (relay === undefined) throw new Error(`${node.name} has no link`);
    return relay;
  }

  async ask<Row extends { [column: string]: unknown }>(
    node: PostgresServer,
    sql: string,
  ): Promise<readonly Row[]> {
    return await withSession(node, this.served.lab.login, async (session) => {
      return (await session.query<Row>(sql)).rows;
    });
  }

  /** SIGKILL for the supervisor, its workers, or all at once. */
  async killProxy(which: 'supervisor' | 'workers' | 'all'): Promise<void> {
    const [supervisor = 0, ...workers] = await pidTree(this.served.run.pid);
    if (which === 'supervisor') signalAll([supervisor], 'SIGKILL');
    else if (which === 'workers') signalAll(workers, 'SIGKILL');
    else signalAll([supervisor, ...workers], 'SIGKILL');
  }

  async freezeWorkers(ms: number): Promise<void> {
    const [, ...workers] = await pidTree(this.served.run.pid);
    signalAll(workers, 'SIGSTOP');
    await sleep(ms);
    signalAll(workers, 'SIGCONT');
  }

  /** Everything runs, and each shard's standby holds what is acknowledged. */
  async restore(): Promise<void> {
    const { lab } = this.served;
    for (const node of lab.nodes) if (node.pid === null) await lab.rebuild(node);
    await this.served.until(
      'all shards to be armed',
      async () => {
        const shards = await this.served.console('show shards');
        return shards.every(({ durability }) => durability === 'armed');
      },
      30_000,
    );
  }

  async stop(): Promise<void> {
    await this.served.stop();
    for (const relay of this.#relays.values()) await relay.stop();
  }
}
