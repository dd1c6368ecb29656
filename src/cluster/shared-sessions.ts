import type { NodeAddress, NodeId } from '../config/config.ts';
import { ControlConnection, type ControlLogin } from './control-connection.ts';

type Shared = { readonly opening: Promise<ControlConnection>; users: number };

/** Of logins and of each statement, which waits for those before it. */
const timeoutMs = 2000;

/** One control session per node for all who ask it something at a time: after a failover that is everybody. */
export class SharedSessions {
  readonly #login: ControlLogin;
  readonly #sessions = new Map<NodeId, Shared>();

  constructor(login: ControlLogin) {
    this.#login = login;
  }

  /** `work` leaves the session as it was: no settings, no locks, no transaction. */
  async with<Result>(
    node: NodeAddress,
    work: (session: ControlConnection) => Promise<Result>,
  ): Promise<Result> {
    const shared = this.#sessions.get(node.id) ?? this.#open(node);
    shared.users += 1;
    try {
      return await work(await shared.opening);
    } catch (error) {
      // It may be broken: the next one gets another.
      this.#forget(node.id, shared);
      throw error;
    } finally {
      shared.users -= 1;
      if (shared.users === 0) {
        this.#forget(node.id, shared);
        // Whoever opened it has been told if that failed.
        shared.opening.then(
          (session) => session.close(),
          () => {},
        );
      }
    }
  }

  #open(node: NodeAddress): Shared {
    const opening = ControlConnection.open({ node, login: this.#login, timeoutMs });
    const shared = { opening, users: 0 };
    this.#sessions.set(node.id, shared);
    return shared;
  }

  #forget(id: NodeId, shared: Shared): void {
    if (this.#sessions.get(id) === shared) this.#sessions.delete(id);
  }
}
