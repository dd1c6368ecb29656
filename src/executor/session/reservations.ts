import type { LeaseRequest } from '../../backend/pool.ts';
import type { ConnectionHolder, ServerConnection } from '../../backend/server-connection.ts';
import type { PgError } from '../../base/pg-error.ts';
import type { ShardServers } from '../../cluster/shard-servers.ts';
import { decodeErrorResponse } from '../../protocol/error-response.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { internalExchange } from '../internal-exchange.ts';

const nothing = () => {};

/**
 * The server connections that one session keeps between its transactions (Vitess' reserved
 * connections), one for a shard at most, because their servers hold what is the session's alone.
 * What the session asks of such a shard goes there; everything else comes from the pools.
 */
export class Reservations {
  readonly #servers: Pick<ShardServers, 'lease'>;
  // Not made before it is needed: most sessions never reserve anything.
  #kept: Map<ShardId, ServerConnection> | null = null;
  /** A statement of the open block may leave something that nothing in it tells. */
  isWatching = false;

  constructor(servers: Pick<ShardServers, 'lease'>) {
    this.#servers = servers;
  }

  get isEmpty(): boolean {
    return this.#kept === null || this.#kept.size === 0;
  }

  get all(): ReadonlyMap<ShardId, ServerConnection> {
    return this.#kept ?? none;
  }

  /** As ShardServers.lease. */
  lease(shard: ShardId, request: LeaseRequest): () => void {
    const kept = this.#kept?.get(shard);
    return kept === undefined ? this.#servers.lease(shard, request) : hand(kept, request);
  }

  /** `connection` is leased exclusively. Not null: why it cannot be kept. */
  keep(shard: ShardId, connection: ServerConnection, holder: ConnectionHolder): PgError | null {
    if (this.#kept?.has(shard) === true) return null;
    const refusal = connection.reserve(holder);
    if (refusal !== null) return refusal;
    this.#kept ??= new Map();
    this.#kept.set(shard, connection);
    return null;
  }

  /**
   * A block has ended on `connection`. While statements are watched, it is kept until it is known
   * what they have left there.
   */
  watch(shard: ShardId, connection: ServerConnection): void {
    if (!this.isWatching || this.#kept?.has(shard) === true) return;
    connection.reserve({
      isBrief: true,
      notified() {},
      lost: () => this.#kept?.delete(shard),
    });
    this.#kept ??= new Map();
    this.#kept.set(shard, connection);
  }

  /** It is watched no more, but kept. Not null: why it cannot be. */
  keepOn(shard: ShardId, holder: ConnectionHolder): PgError | null {
    return this.#kept?.get(shard)?.reserve(holder) ?? null;
  }

  /** Nothing is left on it that is the session's alone, or the session is over. */
  giveBack(shard: ShardId): void {
    const connection = this.#kept?.get(shard);
    this.#kept?.delete(shard);
    connection?.unreserve();
  }

  giveAllBack(): void {
    for (const shard of [...this.all.keys()]) this.giveBack(shard);
  }
}

const none: ReadonlyMap<ShardId, ServerConnection> = new Map();

/** Settings may have changed while the session was busy on other shards. */
function hand(connection: ServerConnection, request: LeaseRequest): () => void {
  const replay = request.settings.replay(connection.settings);
  if (replay === null) {
    request.onLease(connection);
    return nothing;
  }
  let isGivenUp = false;
  const exchange = internalExchange((outcome) => {
    if (outcome.kind === 'ready') connection.adoptSettings(request.settings);
    if (isGivenUp) return;
    if (outcome.kind === 'ready') request.onLease(connection);
    else if (outcome.kind === 'lost') request.onRefused(outcome.error);
    else request.onRefused(decodeErrorResponse(outcome.frame, 0, outcome.frame.length));
  });
  connection.send(exchange, [encodeQuery(replay)]);
  return () => {
    isGivenUp = true;
  };
}
