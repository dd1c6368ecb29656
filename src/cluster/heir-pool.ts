import { ComingIdentity } from '../backend/coming-identity.ts';
import type { Pool } from '../backend/pool.ts';
import type { PrimaryIdentity } from '../backend/primary-identity.ts';
import type { PgError } from '../base/pg-error.ts';
import type { NodeAddress, NodeId, User } from '../config/config.ts';

/** A node and the connections to it. */
export type NodePool = { readonly node: NodeAddress; readonly pool: Pool };

/** null: the node is not configured (any more). */
export type OpenPool = (
  node: NodeId,
  identity: PrimaryIdentity | ComingIdentity | null,
) => NodePool | null;

/**
 * Connections to the node that is about to become primary: logging in takes longer than most other
 * steps of a change, and needs not wait for it. None is used before the node has proved to be primary.
 */
export class HeirPool {
  readonly node: NodeAddress;
  readonly #pool: Pool;
  readonly #identity: ComingIdentity;

  private constructor({ node, pool }: NodePool, identity: ComingIdentity) {
    this.node = node;
    this.#pool = pool;
    this.#identity = identity;
  }

  /** `last`: what the primary before it had to prove. */
  static open(node: NodeId, last: PrimaryIdentity | null, openPool: OpenPool): HeirPool | null {
    const identity = new ComingIdentity(last?.synchronousCommit ?? null);
    const opened = openPool(node, identity);
    return opened === null ? null : new HeirPool(opened, identity);
  }

  /**
   * As many connections of each user as are `open` now or, if those are more, wanted by who waits; no
   * more than `countMax`.
   */
  prepareFor(open: readonly User[], waiting: readonly User[], countMax: number): void {
    for (const user of new Set([...open, ...waiting])) {
      const countIn = (users: readonly User[]) => users.filter((other) => other === user).length;
      const count = Math.max(countIn(open), countIn(waiting));
      this.#pool.prepare(user, Math.min(count, countMax));
    }
  }

  /** It is primary now. */
  succeed(identity: PrimaryIdentity | null): NodePool {
    this.#identity.become(identity);
    return { node: this.node, pool: this.#pool };
  }

  close(error: PgError): void {
    this.#pool.close(error);
  }
}
