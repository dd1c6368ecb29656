import type { Clock } from '../base/clock.ts';
import type { PgError } from '../base/pg-error.ts';
import type { Limits, NodeAddress, User } from '../config/config.ts';
import type { TypeTranslation } from '../protocol/type-translation.ts';
import type { ComingIdentity } from './coming-identity.ts';
import { OpenBackoff } from './open-backoff.ts';
import { type ConnectionOwner, PipelineConnection } from './pipeline-connection.ts';
import type { PrimaryIdentity } from './primary-identity.ts';
import { type LoggedInSocket, shakeHands } from './server-handshake.ts';
import type { ServerTls } from './server-tls.ts';

export type OpenerOptions = {
  readonly node: NodeAddress;
  readonly database: string;
  readonly limits: Limits;
  readonly allowCleartext: boolean;
  /** See HandshakeRequest. */
  readonly identity: PrimaryIdentity | ComingIdentity | null;
  /** Asked for each login: certificates are renewed. */
  readonly tls: () => ServerTls;
  readonly clock: Clock;
  readonly owner: ConnectionOwner;
  /** As in PipelineOptions. */
  readonly types: () => TypeTranslation | null;
  onOpened(connection: PipelineConnection, user: User): void;
  onFailed(error: PgError, user: User): void;
};

/** Logs in to one node, and waits a little before it tries again where that failed. */
export class ConnectionOpener {
  readonly #options: OpenerOptions;
  readonly #backoff = new OpenBackoff();
  /** What abandons each login under way, and whose it is. */
  readonly #underWay = new Map<() => void, User>();

  constructor(options: OpenerOptions) {
    this.#options = options;
  }

  /** Logins under way. */
  get count(): number {
    return this.#underWay.size;
  }

  /** Of one user. */
  countOf(serverUser: string): number {
    let count = 0;
    for (const user of this.#underWay.values()) if (user.serverUser === serverUser) count += 1;
    return count;
  }

  /** Why the user's next login must wait, and how long; null: it may begin. */
  blockedBy(user: User): { readonly error: PgError; readonly waitMs: number } | null {
    return this.#backoff.current(user.serverUser, this.#options.clock.now());
  }

  open(user: User): void {
    const { node, database, limits, allowCleartext, identity, clock } = this.#options;
    const tls = this.#options.tls();
    const timeoutMs = limits.connectTimeoutMs;
    const abandon = shakeHands(
      { node, user, database, clock, timeoutMs, allowCleartext, identity, tls },
      (session) => {
        this.#underWay.delete(abandon);
        this.#backoff.noteSuccess(user.serverUser);
        this.#options.onOpened(this.#connection(session), user);
      },
      (error) => {
        this.#underWay.delete(abandon);
        this.#backoff.noteFailure(user.serverUser, error, clock.now());
        this.#options.onFailed(error, user);
      },
    );
    this.#underWay.set(abandon, user);
  }

  /** Abandons what is under way, without a callback. */
  close(): void {
    for (const abandon of this.#underWay.keys()) abandon();
    this.#underWay.clear();
  }

  #connection(session: LoggedInSocket): PipelineConnection {
    const { node, limits, clock, owner, types } = this.#options;
    const options = {
      node,
      clock,
      frameBytesMax: limits.messageBytesMax,
      preparedStatementsMax: limits.preparedStatementsPerServerMax,
      connectTimeoutMs: limits.connectTimeoutMs,
      types,
    };
    return new PipelineConnection(options, session, owner);
  }
}
