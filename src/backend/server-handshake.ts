import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
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
import { ComingIdentity } from './coming-identity.ts';
import { IdentityCheck, identityQuestion } from './identity-check.ts';
import { cannotConnect } from './node-failure.ts';
import { NodeSocket } from './node-socket.ts';
import { pinnedSettings } from './pinned-settings.ts';
import type { PrimaryIdentity } from './primary-identity.ts';
import { ServerLogin } from './server-login.ts';
import { noServerTls, type ServerTls } from './server-tls.ts';

export type HandshakeRequest = {
  readonly node: NodeAddress;
  readonly user: User;
  readonly database: string;
  readonly clock: Clock;
  /** From the first packet to ReadyForQuery, apart from the wait for a coming identity. */
  readonly timeoutMs: number;
  readonly allowCleartext: boolean;
  /** What the server must prove after the login; null: nothing. */
  readonly identity: PrimaryIdentity | ComingIdentity | null;
  readonly tls: ServerTls;
};

/** A server session that has said its first ReadyForQuery. The socket is paused, without listeners. */
export type LoggedInSocket = {
  readonly link: NodeSocket;
  /** Bytes that the server has sent beyond the login. */
  readonly rest: Buffer;
  readonly parameters: Map<string, string>;
  /** Null when the server gave none. */
  readonly cancelKey: CancelKey | null;
  /** For a cancel request: encrypted if this session is. */
  readonly tls: ServerTls;
};

/** Calls exactly one of the two callbacks, later, unless the returned function is called before. */
export function shakeHands(
  request: HandshakeRequest,
  onLoggedIn: (session: LoggedInSocket) => void,
  onFailed: (error: PgError) => void,
): () => void {
  const [first, second] = attempts(request.tls);
  let handshake = new Handshake(request, first, onLoggedIn, (error, mayTryAgain) => {
    if (second === undefined || !mayTryAgain) onFailed(error);
    else handshake = new Handshake(request, second, onLoggedIn, onFailed);
  });
  return () => handshake.abandon();
}

/** `wish`: goes on without TLS when the server does not want it. */
type Encryption = 'none' | 'wish' | 'demand';

/** What sslmode means: PostgreSQL manual, section 32.19.3. */
function attempts({ mode }: ServerTls): readonly [Encryption, Encryption?] {
  switch (mode) {
    case 'disable':
      return ['none'];
    case 'allow':
      return ['none', 'demand'];
    case 'prefer':
      return ['wish', 'none'];
    default:
      return ['demand'];
  }
}

/** No server message of a login is longer in practice. */
const loginFrameBytesMax = 64 * 1024;

class Handshake {
  readonly #request: HandshakeRequest;
  readonly #onLoggedIn: (session: LoggedInSocket) => void;
  readonly #encryption: Encryption;
  readonly #onFailed: (error: PgError, mayTryAgain: boolean) => void;
  readonly #link: NodeSocket;
  readonly #reader = new FrameReader({ frameBytesMax: loginFrameBytesMax });
  #login: ServerLogin | null = null;
  #stopTimer: () => void;
  #stopWaiting: () => void = () => {};
  readonly #parameters = new Map<string, string>();
  #cancelKey: CancelKey | null = null;
  /** `login`: the server has asked for a password, so nothing before that stands in the way. */
  #stage: 'connecting' | 'encrypting' | 'greeting' | 'login' = 'connecting';
  #isAuthenticated = false;
  /** null until the server has been asked who it is. */
  #check: IdentityCheck | null = null;
  /** It is asked before its answer counts, so that the session has read what it needs for that. */
  #rehearsal: 'none' | 'running' | 'over' = 'none';
  #isOver = false;

  constructor(
    request: HandshakeRequest,
    encryption: Encryption,
    onLoggedIn: (session: LoggedInSocket) => void,
    onFailed: (error: PgError, mayTryAgain: boolean) => void,
  ) {
    this.#request = request;
    this.#encryption = encryption;
    this.#onLoggedIn = onLoggedIn;
    this.#onFailed = onFailed;
    this.#link = new NodeSocket(request.node, (chunk) => this.#receive(chunk));
    this.#socket.on('connect', () => this.#connected());
    this.#watch(this.#socket);
    this.#stopTimer = this.#startTimer();
  }

  get #socket(): Socket {
    return this.#link.socket;
  }

  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimer();
    this.#stopWaiting();
    this.#socket.destroy();
  }

  #startTimer(): () => void {
    const { clock, node, timeoutMs } = this.#request;
    return clock.after(timeoutMs, () => {
      // Another way would take as long again.
      this.#stage = 'login';
      this.#fail(cannotConnect(node, new Error(`no answer in ${timeoutMs} ms`)));
    });
  }

  #watch(socket: Socket): void {
    const { node } = this.#request;
    socket.on('error', (cause) => this.#fail(cannotConnect(node, cause)));
    socket.on('close', () =>
      this.#fail(cannotConnect(node, new Error('it closed the connection'))),
    );
  }

  #connected(): void {
    if (this.#encryption === 'none') {
      this.#greet();
      return;
    }
    this.#stage = 'encrypting';
    const raw = this.#socket;
    this.#link.requestTls(this.#request.tls, (isWilling) => {
      if (isWilling) {
        this.#forget(raw);
        // Its errors and its end are the encrypted socket's as well.
        raw.on('error', () => {});
        this.#watch(this.#socket);
        this.#socket.on('secureConnect', () => this.#greet());
      } else if (this.#encryption === 'wish') {
        this.#greet();
      } else {
        const reason = new Error('it does not support SSL, but SSL was required');
        this.#fail(cannotConnect(this.#request.node, reason));
      }
    });
  }

  #greet(): void {
    this.#stage = 'greeting';
    this.#login = new ServerLogin({ ...this.#request, endPoint: this.#link.endPoint });
    this.#socket.write(this.#startup());
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
        if (this.#rehearsal === 'running') return;
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
        if (this.#rehearsal === 'running') return;
        if (this.#check === null) throw this.#unexpected();
        this.#check.onFrame(code, chunk, start, end);
        return;
      default:
        throw this.#unexpected();
    }
  }

  #ready(): void {
    const { identity } = this.#request;
    if (this.#check !== null) {
      this.#check.compare();
      this.#succeed();
    } else if (!(identity instanceof ComingIdentity)) {
      this.#askFor(identity);
    } else if (this.#rehearsal === 'none' && !identity.isKnown) {
      this.#rehearsal = 'running';
      this.#socket.write(encodeQuery(identityQuestion(true)));
    } else {
      this.#rehearsal = 'over';
      this.#stopTimer();
      this.#stopWaiting = identity.when((known) => {
        this.#stopTimer = this.#startTimer();
        this.#askFor(known);
      });
    }
  }

  #askFor(identity: PrimaryIdentity | null): void {
    if (identity === null) {
      this.#succeed();
      return;
    }
    this.#check = new IdentityCheck(this.#request.node, identity);
    this.#socket.write(encodeQuery(this.#check.question));
  }

  #unexpected(): PgError {
    const message = `server ${this.#request.node.id} sent a message that is no part of a login`;
    return new PgError(SqlState.protocolViolation, message);
  }

  #authenticate(chunk: Buffer, start: number, end: number): void {
    const question = decodeAuthentication(chunk, start, end);
    if (this.#login === null) throw this.#unexpected();
    this.#stage = 'login';
    const answer = this.#login.answer(question);
    if (question.kind === 'ok') this.#isAuthenticated = true;
    if (answer !== null) this.#socket.write(answer);
  }

  #succeed(): void {
    this.#isOver = true;
    this.#stopTimer();
    this.#socket.pause();
    this.#forget(this.#socket);
    this.#onLoggedIn({
      link: this.#link,
      rest: this.#reader.takeRest(),
      parameters: this.#parameters,
      cancelKey: this.#cancelKey,
      tls: this.#socket instanceof TLSSocket ? this.#request.tls : noServerTls,
    });
  }

  #forget(socket: Socket): void {
    for (const event of ['connect', 'secureConnect', 'error', 'close']) {
      socket.removeAllListeners(event);
    }
  }

  #fail(error: PgError): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimer();
    this.#stopWaiting();
    this.#socket.destroy();
    this.#onFailed(error, this.#mayTryAgain(error));
  }

  /** The encryption may be what stands in the way: it failed, or pg_hba.conf has none like it. */
  #mayTryAgain({ sqlState }: PgError): boolean {
    if (this.#stage === 'greeting') return sqlState === SqlState.invalidAuthorization;
    return this.#stage === 'encrypting';
  }
}
