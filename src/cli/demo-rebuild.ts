import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import type { LabCluster } from '../lab/lab-cluster.ts';
import type { PostgresServer } from '../lab/postgres-server.ts';

const lookEveryMs = 1_000;
/** How long a dead server is left as it is, so that a person sees what happened. */
const patienceMs = 5_000;

/**
 * What an operator does in production: makes a server that died a standby of its
 * shard's new primary. Returns a function that ends it and waits for a rebuild under way.
 */
export function rebuildDead(
  lab: LabCluster,
  clock: Clock,
  progress: (line: string) => void,
): () => Promise<void> {
  const deadSince = new Map<PostgresServer, number>();
  let stopped = false;
  let rebuilding: Promise<void> = Promise.resolve();
  let busy = false;
  const rebuild = async (node: PostgresServer) => {
    busy = true;
    try {
      progress(`${node.name} is dead: rebuilding it as a standby`);
      await lab.rebuild(node);
      progress(`${node.name} is back as a standby`);
    } catch (error) {
      // The shard may have no primary yet: the next look tries again.
      if (!stopped) progress(`${node.name} cannot be rebuilt yet: ${lineOf(error)}`);
    } finally {
      deadSince.delete(node);
      busy = false;
    }
  };
  const cancel = clock.every(lookEveryMs, () => {
    for (const node of lab.nodes) {
      if (node.pid !== null) {
        deadSince.delete(node);
        continue;
      }
      const since = deadSince.get(node) ?? clock.now();
      deadSince.set(node, since);
      if (!busy && clock.now() - since >= patienceMs) rebuilding = rebuild(node);
    }
  });
  return async () => {
    stopped = true;
    cancel();
    await rebuilding;
  };
}

function lineOf(error: unknown): string {
  if (error instanceof PgError || error instanceof Error) return error.message;
  return String(error);
}
