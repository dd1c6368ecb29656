import { randomBytes } from 'node:crypto';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Config, User } from '../config/config.ts';
import {
  decodeSaslInitialResponse,
  decodeSaslResponse,
  encodeAuthenticationSasl,
  encodeAuthenticationSaslContinue,
  encodeAuthenticationSaslFinal,
} from '../protocol/authentication.ts';
import { FrontendCode } from '../protocol/message-code.ts';
import {
  beginScramServer,
  finishScramServer,
  type ScramServerStep,
} from '../protocol/scram-server.ts';
import {
  mockScramVerifier,
  parseScramVerifier,
  scramMechanism,
} from '../protocol/scram-verifier.ts';
import type { ClientConnection, ClientHandler } from './client-connection.ts';

/** Makes the salts of unknown users differ from one installation to the next. */
const mockSecret = randomBytes(32);

/**
 * Finds out whether the client is who it says. `accepted` is called before AuthenticationOk is
 * sent. A wrong password and an unknown user cost and look the same (28P01).
 */
export class Login implements ClientHandler {
  readonly #connection: ClientConnection;
  readonly #userName: string;
  readonly #user: User | undefined;
  readonly #accepted: (user: User) => void;
  readonly #closed: () => void;
  readonly #method: Config['authentication'];
  #step: ScramServerStep | null = null;
  /** The client has chosen SCRAM and waits to be asked for its first message. */
  #asked = false;

  constructor(
    connection: ClientConnection,
    config: Config,
    userName: string,
    accepted: (user: User) => void,
    closed: () => void,
  ) {
    this.#connection = connection;
    this.#userName = userName;
    this.#user = config.users.get(userName);
    this.#accepted = accepted;
    this.#closed = closed;
    this.#method = config.authentication;
  }

  /** May accept at once, so the connection must have this as its handler already. */
  begin(): void {
    if (this.#method === 'trust') {
      this.#trust();
      return;
    }
    this.#connection.push(encodeAuthenticationSasl([scramMechanism]));
    this.#connection.flush();
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
    if (this.#step === null) this.#answer(chunk, start, end);
    else this.#finish(this.#step, decodeSaslResponse(chunk, start, end));
  }

  onClosed(): void {
    this.#closed();
  }

  #trust(): void {
    if (this.#user === undefined) {
      throw new PgError(SqlState.invalidAuthorization, `role "${this.#userName}" does not exist`, {
        severity: 'FATAL',
      });
    }
    this.#accepted(this.#user);
  }

  #answer(chunk: Buffer, start: number, end: number): void {
    if (this.#asked) {
      this.#challenge(decodeSaslResponse(chunk, start, end));
      return;
    }
    const initial = decodeSaslInitialResponse(chunk, start, end);
    if (initial.mechanism !== scramMechanism) {
      throw new PgError(
        SqlState.protocolViolation,
        'client selected an invalid SASL authentication mechanism',
        { severity: 'FATAL' },
      );
    }
    if (initial.response !== null) {
      this.#challenge(initial.response);
      return;
    }
    this.#asked = true;
    this.#connection.push(encodeAuthenticationSaslContinue(''));
    this.#connection.flush();
  }

  #challenge(clientFirst: string): void {
    const stored = this.#user?.verifier;
    const verifier =
      (stored ? parseScramVerifier(stored) : null) ?? mockScramVerifier(this.#userName, mockSecret);
    this.#step = beginScramServer(clientFirst, verifier, randomBytes(18).toString('base64'));
    this.#connection.push(encodeAuthenticationSaslContinue(this.#step.message));
    this.#connection.flush();
  }

  #finish(step: ScramServerStep, clientFinal: string): void {
    const serverFinal = finishScramServer(step, clientFinal);
    if (serverFinal === null || this.#user === undefined) {
      throw new PgError(
        SqlState.invalidPassword,
        `password authentication failed for user "${this.#userName}"`,
        { severity: 'FATAL' },
      );
    }
    this.#connection.push(encodeAuthenticationSaslFinal(serverFinal));
    this.#accepted(this.#user);
  }
}
