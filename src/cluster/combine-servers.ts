import type { LeaseRequest } from '../backend/pool.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import { combineIdOf, standbyIdOf } from '../config/combine-id.ts';
import type { NodeAddress } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import { CombineLine, type CombineLineParts } from './combine-line.ts';
import type { ShardState } from './failover/shard-state.ts';

/**
 * Servers besides the primaries that run queries over rows that come with them, and over nothing
 * else: those that the configuration sets aside for it, and one streaming standby of each shard.
 * A standby is one as long as its shard's state says so and has a primary: before it is promoted it
 * is left alone, because what runs there could hold up the replay.
 */
export class CombineServers {
  readonly #parts: CombineLineParts;
  readonly #dedicated = new Map<ShardId, CombineLine>();
  readonly #standbys = new Map<ShardId, CombineLine>();
  #turn = 0;

  constructor(parts: CombineLineParts) {
    this.#parts = parts;
  }

  /** The configuration's, as far as they can be used. */
  setDedicated(nodes: readonly NodeAddress[]): void {
    const wanted = new Map(nodes.map((node) => [combineIdOf(node.id), node]));
    for (const [id, line] of this.#dedicated) {
      if (wanted.has(id)) continue;
      line.use(null, notUsed(id));
      this.#dedicated.delete(id);
    }
    for (const [id, node] of wanted) this.#lineOf(this.#dedicated, id).use(node, notUsed(id));
  }

  /** `nodes` are those of the shard. */
  update({ shard, primary, standbys }: ShardState, nodes: readonly NodeAddress[]): void {
    const id = standbyIdOf(shard);
    const line = this.#lineOf(this.#standbys, id);
    const usable = primary === null ? [] : nodes.filter((node) => standbys.includes(node.id));
    const stays = usable.find((node) => node.id === line.node?.id);
    line.use(stays ?? usable[0] ?? null, notUsed(id));
  }

  remove(shard: ShardId): void {
    const id = standbyIdOf(shard);
    this.#standbys.get(id)?.use(null, notUsed(id));
    this.#standbys.delete(id);
  }

  /** The one with the least to do for this worker: of the dedicated ones, else of the standbys. */
  choose(): ShardId | null {
    return this.#leastLoaded(this.#dedicated) ?? this.#leastLoaded(this.#standbys);
  }

  lease(id: ShardId, request: LeaseRequest): () => void {
    const line = this.#dedicated.get(id) ?? this.#standbys.get(id);
    if (line !== undefined) return line.lease(request);
    request.onRefused(notUsed(id));
    return () => {};
  }

  readings() {
    return [...this.#dedicated.values(), ...this.#standbys.values()]
      .map((line) => line.reading())
      .filter((one) => one !== null);
  }

  close(error: PgError): void {
    for (const lines of [this.#dedicated, this.#standbys]) {
      for (const line of lines.values()) line.use(null, error);
    }
  }

  /** Equal ones take turns. */
  #leastLoaded(lines: ReadonlyMap<ShardId, CombineLine>): ShardId | null {
    const available = [...lines].filter(([, line]) => line.isAvailable);
    if (available.length === 0) return null;
    this.#turn = (this.#turn + 1) % available.length;
    const inTurn = [...available.slice(this.#turn), ...available.slice(0, this.#turn)];
    const [best] = inTurn.toSorted(([, a], [, b]) => a.load - b.load);
    return best === undefined ? null : best[0];
  }

  #lineOf(lines: Map<ShardId, CombineLine>, id: ShardId): CombineLine {
    const line = lines.get(id) ?? new CombineLine(this.#parts);
    lines.set(id, line);
    return line;
  }
}

function notUsed(id: ShardId): PgError {
  return new PgError(SqlState.connectionFailure, `the server ${id} combines no rows any more`);
}
