import { assert } from '../base/assert.ts';
import type { User } from '../config/config.ts';
import type { PipelineConnection } from './pipeline-connection.ts';

/**
 * idle      nobody's, ready for any lease of its user
 * exclusive one lease holds it
 * shared    exchanges of several clients queue on it
 * draining  shared until its FIFO is empty: somebody waits for it, no exchange is added
 * preparing the pool replays settings or resets the session
 * settling  released, but a cancel request is still under way
 * closed    gone
 */
export type SlotState =
  | 'idle'
  | 'exclusive'
  | 'shared'
  | 'draining'
  | 'preparing'
  | 'settling'
  | 'closed';

const allowed: { readonly [From in SlotState]: readonly SlotState[] } = {
  idle: ['exclusive', 'shared', 'preparing', 'closed'],
  exclusive: ['idle', 'preparing', 'settling', 'closed'],
  shared: ['idle', 'draining', 'preparing', 'settling', 'closed'],
  draining: ['idle', 'preparing', 'settling', 'closed'],
  preparing: ['idle', 'exclusive', 'shared', 'closed'],
  settling: ['idle', 'preparing', 'closed'],
  closed: [],
};

/** A connection of the pool and what it is used for. */
export class PoolSlot {
  readonly connection: PipelineConnection;
  /** The one whose login it was. */
  readonly user: User;
  /** The role on the server; the user's name towards the clients does not matter here. */
  readonly serverUser: string;
  /** Clock.now() when it last became idle. */
  idleSince = 0;
  #state: SlotState = 'idle';

  constructor(connection: PipelineConnection, user: User) {
    this.connection = connection;
    this.user = user;
    this.serverUser = user.serverUser;
  }

  get state(): SlotState {
    return this.#state;
  }

  become(state: SlotState): void {
    assert(allowed[this.#state].includes(state), `a slot went from ${this.#state} to ${state}`);
    this.#state = state;
    this.connection.isShared = state === 'shared' || state === 'draining';
  }
}
