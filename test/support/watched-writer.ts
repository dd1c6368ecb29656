import { sleep } from '../../src/base/clock.ts';
import type { LabShard } from '../../src/lab/lab-shard.ts';
import type { PostgresServer } from '../../src/lab/postgres-server.ts';
import { withSession } from '../../src/lab/sql.ts';
import type { WatchedCluster } from './watched-cluster.ts';

/** What startWriter writes into. */
export const writtenSchema = 'create table written (id int primary key)';

export async function idsOf(cluster: WatchedCluster, node: PostgresServer): Promise<number[]> {
  const { rows } = await withSession(node, cluster.lab.login, (session) =>
    session.query<{ id: number }>('select id from written order by id'),
  );
  return rows.map((row) => row.id);
}

/** Inserts one number after another on whatever primary is published; a new one needs a new session. */
export function startWriter(
  cluster: WatchedCluster,
  shard: LabShard,
): { stop(): Promise<number[]> } {
  const acknowledged: number[] = [];
  let running = true;
  let id = 0;
  const write = async (node: PostgresServer) => {
    await withSession(node, cluster.lab.login, async (session) => {
      while (running && cluster.primary(shard) === node) {
        id += 1;
        const epoch = cluster.states[0]?.epoch;
        const answer = session.query('insert into written values ($1)', [id]).then(() => true);
        const believed = await Promise.race([answer, sleep(2000).then(() => false)]);
        if (!believed) throw new Error('no answer');
        if (cluster.states[0]?.epoch === epoch) acknowledged.push(id);
      }
    });
  };
  const done = (async () => {
    while (running) {
      const node = cluster.primary(shard);
      if (node === null) await sleep(2);
      else await Promise.race([write(node).catch(() => {}), cutOff(cluster, shard, node)]);
    }
  })();
  return {
    stop: async () => {
      running = false;
      await done;
      return acknowledged;
    },
  };
}

/** Resolves when another primary than `node` is published, as the workers' cut does. */
async function cutOff(cluster: WatchedCluster, shard: LabShard, node: PostgresServer) {
  for (;;) {
    const primary = cluster.primary(shard);
    if (primary !== null && primary !== node) return;
    await sleep(5);
  }
}
