import { unreachable } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Telemetry } from '../base/telemetry.ts';
import type { User } from '../config/config.ts';
import type { HbaRule } from '../config/hba.ts';
import { FrontendCode } from '../protocol/message-code.ts';
import type { ScramKeys } from '../protocol/scram-verifier.ts';
import type { Accounts } from './accounts.ts';
import type { ClientConnection, ClientHandler } from './client-connection.ts';
import type { FailedLogins } from './failed-logins.ts';
import { demandCertificate, hbaRuleFor, type Peer } from './hba.ts';
import { md5Exchange, type PasswordExchange, ScramExchange } from './password-exchange.ts';

export type LoginWorld = {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly hba: readonly HbaRule[];
  readonly accounts: Accounts;
  readonly failedLogins: FailedLogins;
  /** Of this installation: see scramSaltOf. */
  readonly mockSecret: Buffer;
};

/** As much of a name as a role can have: what else a stranger sends is not worth a line. */
const loggedNameLength = 63;

/**
 * Finds out whether the client is who it says: the first hba rule that fits says how. `accepted` is
 * called before AuthenticationOk is sent. A wrong password and an unknown user cost and look the
 * same (28P01).
 */
export class Login implements ClientHandler {
  readonly #connection: ClientConnection;
  readonly #world: LoginWorld;
  readonly #peer: Peer;
  readonly #accepted: (user: User) => void;
  readonly #closed: () => void;
  #account: User | null = null;
  #exchange: PasswordExchange | null = null;
  /** Gives up what is waited for. */
  #stopWaiting: () => void = () => {};

  constructor(
    connection: ClientConnection,
    world: LoginWorld,
    peer: Peer,
    accepted: (user: User) => void,
    closed: () => void,
  ) {
    this.#connection = connection;
    this.#world = world;
    this.#peer = peer;
    this.#accepted = accepted;
    this.#closed = closed;
  }

  /**
   * Holds the connection's input until it has asked for a password; who is accepted proceeds.
   * May accept at once, so the connection must have this as its handler already.
   */
  begin(): void {
    this.#orFail(() => {
      const rule = hbaRuleFor(this.#world.hba, this.#peer);
      demandCertificate(rule, this.#peer);
      this.#connection.hold();
      this.#stopWaiting = this.#world.accounts.find(
        this.#peer.user,
        (account) => this.#orFail(() => this.#ask(rule, account)),
        (error) => this.#connection.terminate(error),
      );
    });
  }

  onFrame(code: number, chunk: Buffer, start: number, end: number): void {
    if (code === FrontendCode.terminate) {
      this.#connection.close();
      return;
    }
    if (code !== FrontendCode.password) {
      throw new PgError(
        SqlState.protocolViolation,
        `expected SASL response, got message type ${code}`,
        { severity: 'FATAL' },
      );
    }
    this.#orFail(() => this.#answer(chunk, start, end));
  }

  onClosed(): void {
    this.#stopWaiting();
    this.#closed();
  }

  #ask(rule: HbaRule, account: User | null): void {
    this.#account = account;
    switch (rule.method) {
      case 'trust':
      case 'cert':
        if (account === null) throw this.#unknownRole();
        this.#accepted(account);
        return;
      case 'md5':
      case 'scram-sha-256':
        this.#exchange = this.#exchangeFor(rule.method, account);
        this.#connection.push(this.#exchange.question);
        this.#connection.flush();
        this.#connection.proceed();
        return;
      case 'reject':
        throw this.#unknownRole();
      default:
        unreachable(rule.method);
    }
  }

  /** As in PostgreSQL, md5 means SCRAM for a user whose password is stored so. */
  #exchangeFor(method: 'md5' | 'scram-sha-256', account: User | null): PasswordExchange {
    const knowsMd5 = account === null || account.md5Hash !== null;
    if (method === 'md5' && knowsMd5) return md5Exchange(account);
    const { mockSecret } = this.#world;
    const { user: userName, endPoint } = this.#peer;
    return new ScramExchange({ userName, account, mockSecret, endPoint });
  }

  #answer(chunk: Buffer, start: number, end: number): void {
    if (this.#exchange === null) return;
    const step = this.#exchange.answer(chunk, start, end);
    const { failedLogins } = this.#world;
    const { address, user } = this.#peer;
    switch (step.kind) {
      case 'ask':
        this.#connection.push(step.message);
        this.#connection.flush();
        return;
      case 'wrong':
        this.#after(failedLogins.takeTurn(address), () => {
          throw this.#wrongPassword();
        });
        return;
      case 'right':
        this.#after(failedLogins.succeeded(address, user), () => {
          if (this.#account === null) throw this.#wrongPassword();
          if (step.message !== null) this.#connection.push(step.message);
          this.#accepted(withKeys(this.#account, step.keys));
        });
        return;
      default:
        unreachable(step);
    }
  }

  /** At once, but for an address from which too many logins have failed. */
  #after(waitMs: number, verdict: () => void): void {
    if (waitMs === 0) {
      verdict();
      return;
    }
    this.#connection.hold();
    this.#stopWaiting = this.#world.clock.after(waitMs, () => {
      if (!this.#connection.closed) this.#orFail(verdict);
    });
  }

  #orFail(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      this.#noteFailure(error);
      this.#connection.terminate(error);
    }
  }

  /** Only a wrong password is a guess that counts against the address. */
  #noteFailure({ sqlState, message }: PgError): void {
    const { invalidPassword, invalidAuthorization } = SqlState;
    if (sqlState !== invalidPassword && sqlState !== invalidAuthorization) return;
    const { telemetry, failedLogins } = this.#world;
    const { address, user, database } = this.#peer;
    if (sqlState === invalidPassword) failedLogins.note(address);
    telemetry.loginFailed(sqlState === invalidPassword ? 'password' : 'refused');
    telemetry.log('warn', 'a login failed', {
      address,
      user: user.slice(0, loggedNameLength),
      database: database.slice(0, loggedNameLength),
      reason: message.slice(0, 200),
    });
  }

  #wrongPassword(): PgError {
    return new PgError(
      SqlState.invalidPassword,
      `password authentication failed for user "${this.#peer.user}"`,
      { severity: 'FATAL' },
    );
  }

  #unknownRole(): PgError {
    return new PgError(SqlState.invalidAuthorization, `role "${this.#peer.user}" does not exist`, {
      severity: 'FATAL',
    });
  }
}

/** Where no password is known, the keys that the client has shown log in for the same role. */
function withKeys(account: User, keys: ScramKeys | null): User {
  const isOwn = account.serverUser === account.name;
  if (keys === null || !isOwn || account.serverSecret.kind !== 'none') return account;
  return { ...account, serverSecret: { kind: 'keys', keys } };
}
