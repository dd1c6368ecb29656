import type { Socket } from 'node:net';
import { serialize } from 'pg-protocol';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { NodeAddress, User } from '../config/config.ts';
import { decodeAuthentication } from '../protocol/authentication.ts';
import { type CancelKey, decodeBackendKeyData } from '../protocol/backend-key-data.ts';
import { decodeErrorResponse } from '../protocol/error-response.ts';
import { FrameReader } from '../protocol/frame-reader.ts';
import { BackendCode } from '../protocol/message-code.ts';
import { decodeParameterStatus } from '../protocol/parameter-status.ts';
import { encodeQuery } from '../protocol/query-message.ts';
import { IdentityCheck } from './identity-check.ts';
import { cannotConnect } from './node-failure.ts';
import { NodeSocket } from './node-socket.ts';
import { pinnedSettings } from './pinned-settings.ts';
import type { PrimaryIdentity } from './primary-identity.ts';
import { ServerLogin } from './server-login.ts';

export type HandshakeRequest = {
  readonly node: NodeAddress;
  readonly user: User;
  readonly database: string;
  readonly clock: Clock;
  /** From the first packet to ReadyForQuery. */
  readonly timeoutMs: number;
  readonly allowCleartext: boolean;
  /** What the server must prove after the login; null: nothing. */
  readonly identity: PrimaryIdentity | null;
};

/** A server session that has said its first ReadyForQuery. The socket is paused, without listeners. */
export type LoggedInSocket = {
  readonly link: NodeSocket;
  /** Bytes that the server has sent beyond the login. */
  readonly rest: Buffer;
  readonly parameters: Map<string, string>;
  /** Null when the server gave none. */
  readonly cancelKey: CancelKey | null;
};

/** Calls exactly one of the two callbacks, later, unless the returned function is called before. */
export function shakeHands(
  request: HandshakeRequest,
  onLoggedIn: (session: LoggedInSocket) => void,
  onFailed: (error: PgError) => void,
): () => void {
  const handshake = new Handshake(request, onLoggedIn, onFailed);
  return () => handshake.abandon();
}

/** No server message of a login is longer in practice. */
const loginFrameBytesMax = 64 * 1024;

class Handshake {
  readonly #request: HandshakeRequest;
  readonly #onLoggedIn: (session: LoggedInSocket) => void;
  readonly #onFailed: (error: PgError) => void;
  readonly #link: NodeSocket;
  readonly #reader = new FrameReader({ frameBytesMax: loginFrameBytesMax });
  readonly #login: ServerLogin;
  readonly #stopTimer: () => void;
  readonly #parameters = new Map<string, string>();
  #cancelKey: CancelKey | null = null;
  #isAuthenticated = false;
  /** null until the server has been asked who it is. */
  #check: IdentityCheck | null = null;
  #isOver = false;

  constructor(
    request: HandshakeRequest,
    onLoggedIn: (session: LoggedInSocket) => void,
    onFailed: (error: PgError) => void,
  ) {
    this.#request = request;
    this.#onLoggedIn = onLoggedIn;
    this.#onFailed = onFailed;
    this.#login = new ServerLogin(request);
    this.#link = new NodeSocket(request.node, (chunk) => this.#receive(chunk));
    this.#socket.on('connect', () => this.#socket.write(this.#startup()));
    this.#socket.on('error', (cause) => this.#fail(cannotConnect(request.node, cause)));
    this.#socket.on('close', () =>
      this.#fail(cannotConnect(request.node, new Error('it closed the connection'))),
    );
    this.#stopTimer = request.clock.after(request.timeoutMs, () =>
      this.#fail(cannotConnect(request.node, new Error(`no answer in ${request.timeoutMs} ms`))),
    );
  }

  get #socket(): Socket {
    return this.#link.socket;
  }

  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimer();
    this.#socket.destroy();
  }

  #startup(): Buffer {
    // It adds client_encoding UTF8 by itself.
    const { user, database, identity } = this.#request;
    const synchronousCommit = identity?.synchronousCommit ?? null;
    return serialize.startup({
      user: user.serverUser,
      database,
      application_name: 'pgweave',
      ...pinnedSettings,
      ...(synchronousCommit === null ? {} : { synchronous_commit: synchronousCommit }),
    });
  }

  #receive(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
      while (!this.#isOver && this.#reader.next()) this.#read(this.#reader);
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      this.#fail(error);
    }
  }

  #read({ code, chunk, start, end }: FrameReader): void {
    switch (code) {
      case BackendCode.authentication:
        this.#authenticate(chunk, start, end);
        return;
      case BackendCode.errorResponse:
        if (this.#check !== null) this.#check.onFrame(code, chunk, start, end);
        else this.#fail(decodeErrorResponse(chunk, start, end));
        return;
      case BackendCode.noticeResponse:
      case BackendCode.negotiateProtocolVersion:
        return;
      case BackendCode.parameterStatus: {
        const { name, value } = decodeParameterStatus(chunk, start, end);
        this.#parameters.set(name, value);
        return;
      }
      case BackendCode.backendKeyData:
        this.#cancelKey = decodeBackendKeyData(chunk, start, end);
        return;
      case BackendCode.readyForQuery:
        if (!this.#isAuthenticated) throw this.#unexpected();
        this.#ready();
        return;
      case BackendCode.rowDescription:
      case BackendCode.dataRow:
      case BackendCode.commandComplete:
        if (this.#check === null) throw this.#unexpected();
        this.#check.onFrame(code, chunk, start, end);
        return;
      default:
        throw this.#unexpected();
    }
  }

  #ready(): void {
    const { identity, node } = this.#request;
    if (identity === null || this.#check !== null) {
      this.#check?.compare();
      this.#succeed();
      return;
    }
    this.#check = new IdentityCheck(node, identity);
    this.#socket.write(encodeQuery(this.#check.question));
  }

  #unexpected(): PgError {
    const message = `server ${this.#request.node.id} sent a message that is no part of a login`;
    return new PgError(SqlState.protocolViolation, message);
  }

  #authenticate(chunk: Buffer, start: number, end: number): void {
    const question = decodeAuthentication(chunk, start, end);
    const answer = this.#login.answer(question);
    if (question.kind === 'ok') this.#isAuthenticated = true;
    if (answer !== null) this.#socket.write(answer);
  }

  #succeed(): void {
    this.#isOver = true;
    this.#stopTimer();
    this.#socket.pause();
    this.#socket.removeAllListeners('connect');
    this.#socket.removeAllListeners('error');
    this.#socket.removeAllListeners('close');
    this.#onLoggedIn({
      link: this.#link,
      rest: this.#reader.takeRest(),
      parameters: this.#parameters,
      cancelKey: this.#cancelKey,
    });
  }

  #fail(error: PgError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimer();
    this.#socket.destroy();
    this.#onFailed(error);
  }
}
