import { assert } from '../../base/assert.ts';
import { PgError } from '../../base/pg-error.ts';
import {
  type BlockCatalogue,
  blockSnapshot,
  readBlockCatalogue,
} from '../../cluster/catalogue/block-catalogue.ts';
import { schemaFromSnapshot } from '../../cluster/catalogue/catalogue-schema.ts';
import type { SessionExecutor } from '../session-executor.ts';
import { serverSession } from './server-session.ts';

/**
 * A transaction that has changed tables plans by what it sees itself, until it ends: reads the home
 * shard's relations in it. `done` with null when the next statement may be planned.
 */
export function refreshBlockSchema(
  executor: SessionExecutor,
  done: (error: PgError | null) => void,
): void {
  const shard = executor.world.planner.shardMap.home;
  const request = { shard, write: false, share: false, rowless: true };
  const refused = (error: PgError) => done(error);
  executor.acquire(request, () => {}, read, refused);

  function read(connection: Parameters<typeof serverSession>[0], release: () => void): void {
    // It is short, and what a cancel would leave of it nobody could plan by.
    executor.cancelWith(null);
    const settled = (error: PgError | null) => {
      release();
      done(error);
    };
    readBlockCatalogue(serverSession(connection), executor.world.catalogue).then(
      (catalogue) => {
        adoptBlockCatalogue(executor, catalogue);
        settled(null);
      },
      (error: unknown) => {
        assert(error instanceof PgError, 'servers fail with PgErrors');
        settled(error);
      },
    );
  }
}

export function adoptBlockCatalogue(executor: SessionExecutor, home: BlockCatalogue): void {
  const { transaction, world } = executor;
  if (transaction.block === 'none') return;
  const { catalogue, planner } = world;
  const { shardMap, schema } = planner;
  const snapshot = blockSnapshot(catalogue, home, shardMap);
  transaction.schema = schemaFromSnapshot(snapshot, shardMap, schema.version);
}
