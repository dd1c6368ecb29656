import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PgError } from '../../base/pg-error.ts';
import { SqlState } from '../../base/sql-state.ts';
import type { Config, NodeAddress } from '../../config/config.ts';
import { type MapOutline, mapOutline } from '../../sharding/map-outline.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { writeDurably } from '../monitor/write-durably.ts';
import { findStranded, type StrandedRows } from './find-stranded.ts';

/** The map that rows were last looked for by, and the servers of its shards. */
type Kept = {
  readonly outline: MapOutline;
  readonly nodes: readonly NodeAddress[];
};

/**
 * Remembers the map that pgweave works by, over restarts too, in the folder of the cluster's records:
 * an edit of the file is compared with it, whenever the file was edited.
 */
export class MapKeeper {
  readonly #path: string;
  #kept: Kept | null;

  private constructor(path: string, kept: Kept | null) {
    this.#path = path;
    this.#kept = kept;
  }

  /** Rejects with PgError 58030 when what was kept cannot be read. */
  static async open(directory: string): Promise<MapKeeper> {
    // No name of a shard's record ends like this.
    const path = join(directory, 'shard-map.outline');
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
        return new MapKeeper(path, null);
      }
      throw failed('read', path, cause);
    }
    return new MapKeeper(path, parse(text, path));
  }

  /**
   * As findStranded(), for `next` in place of the map that is kept; none when there is no such yet.
   * `primaryOf` knows the shards that are watched.
   */
  async findStranded(
    next: Config,
    primaryOf: (shard: ShardId, nodes: readonly NodeAddress[]) => Promise<NodeAddress>,
  ): Promise<readonly StrandedRows[]> {
    const kept = this.#kept;
    if (kept === null) return [];
    return await findStranded({
      before: kept.outline,
      after: mapOutline(next.shardMap),
      config: next,
      nodeOf: (shard) => {
        const listed = next.nodes.get(shard) ?? kept.nodes.filter((node) => node.shard === shard);
        return primaryOf(shard, listed);
      },
    });
  }

  /** From now on rows are looked for by this map. Rejects with PgError 58030. */
  async adopt({ shardMap, nodes }: Config): Promise<void> {
    const kept = { outline: mapOutline(shardMap), nodes: [...nodes.values()].flat() };
    const text = `${JSON.stringify(kept, null, 2)}\n`;
    try {
      await writeDurably(this.#path, text);
    } catch (cause) {
      throw failed('write', this.#path, cause);
    }
    this.#kept = kept;
  }
}

function parse(text: string, path: string): Kept {
  try {
    const { outline, nodes } = JSON.parse(text);
    const { home, shards, tables } = outline;
    const isWhole = typeof home === 'string' && typeof tables === 'object' && tables !== null;
    if (isWhole && Array.isArray(shards) && Array.isArray(nodes)) return { outline, nodes };
  } catch (cause) {
    throw failed('read', path, cause);
  }
  throw failed('read', path, undefined);
}

function failed(verb: string, path: string, cause: unknown): PgError {
  return new PgError(SqlState.ioError, `cannot ${verb} the kept shard map ${path}`, {
    hint: 'Check failover.state_directory: space, permissions. Without the file the map is taken as it is.',
    cause,
  });
}
