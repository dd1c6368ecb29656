import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { emptySettings } from '../backend/session-settings.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Holder } from '../cluster/transactions/find-deadlocks.ts';
import type { Config, User } from '../config/config.ts';
import type { ExecutorWorld } from '../executor/executor-world.ts';
import { encodeAuthenticationOk } from '../protocol/authentication.ts';
import { type CancelKey, encodeBackendKeyData } from '../protocol/backend-key-data.ts';
import { encodeErrorResponse } from '../protocol/error-response.ts';
import { encodeNegotiateProtocolVersion } from '../protocol/negotiate-protocol-version.ts';
import { readyForQuery } from '../protocol/ready-for-query.ts';
import type { Accounts } from './accounts.ts';
import type { AdminConsole } from './admin-console.ts';
import { AdminSession } from './admin-session.ts';
import { type Admission, limitedPlaces, type Place, placeFull } from './admission.ts';
import { encodeProcessId, sessionNumbersMax, workerIndexOf } from './cancel-key.ts';
import { clientCertificateOf } from './client-certificate.ts';
import { ClientConnection, type ClientHandler } from './client-connection.ts';
import type { ClientSummary } from './client-summary.ts';
import type { ClientTls } from './client-tls.ts';
import { adminDatabase, adminParameters, withConsoleRight } from './console-login.ts';
import type { FailedLogins } from './failed-logins.ts';
import { asFatal, shutdown, unknownDatabase } from './gate-refusals.ts';
import { Login } from './login.ts';
import { LoginParameters } from './login-parameters.ts';
import { ParsedTexts } from './parsed-texts.ts';
import { Session } from './session.ts';
import { receiveStartup, type Startup } from './startup.ts';
import { startupSettings } from './startup-settings.ts';

export type GateWorld = {
  readonly executor: ExecutorWorld;
  readonly console: AdminConsole;
  readonly workerIndex: number;
  /** Changes on reload, like the two below. */
  config: Config;
  tls: ClientTls | null;
  accounts: Accounts;
  readonly failedLogins: FailedLogins;
  readonly admission: Admission;
  /** As in LoginWorld. */
  readonly mockSecret: Buffer;
  /** A cancel request for another worker's session. */
  forwardCancel(key: CancelKey): void;
};

type Client = {
  readonly number: number;
  /** Of the cancel key, hexadecimal: a Buffer for 4 bytes takes 200. */
  readonly secret: string;
  readonly connection: ClientConnection;
  readonly user: string;
  readonly database: string;
  readonly applicationName: string;
  readonly tls: boolean;
  readonly connectedAt: number;
  session: Session | AdminSession | null;
  /** The supervisor counts it in a place with a limit. */
  isCounted: boolean;
};

type StartupRequest = Extract<Startup['request'], { readonly kind: 'startup' }>;

/** Lets clients in: startup, login, and then a session for each; finds sessions for cancels. */
export class ClientGate {
  readonly #world: GateWorld;
  readonly #clients = new Map<number, Client>();
  readonly #parameters = new LoginParameters();
  readonly #texts = new ParsedTexts();
  #lastNumber = 0;
  #drained: (() => void) | null = null;

  constructor(world: GateWorld) {
    this.#world = world;
  }

  get clientCount(): number {
    return this.#clients.size;
  }

  /** `refused`: there are too many clients; a cancel request is served all the same. */
  accept(socket: Socket, refused: boolean): void {
    const { clock } = this.#world.executor;
    let current = socket;
    const cancelTimer = clock.after(this.#world.config.limits.loginTimeoutMs, () => {
      this.#world.executor.telemetry.loginFailed('timeout');
      current.destroy();
    });
    const stopTimer = () => {
      cancelTimer();
      socket.off('close', stopTimer);
    };
    socket.once('close', stopTimer);
    receiveStartup(
      socket,
      this.#world.tls,
      (startup) => {
        current = startup.socket;
        this.#started(startup, refused, stopTimer);
      },
      sendFatal,
    );
  }

  /** Ignores a key that fits no session, as PostgreSQL does. */
  cancel(key: CancelKey): void {
    const client = this.#clients.get(key.backendId % sessionNumbersMax);
    if (client?.session === undefined || client.session === null) return;
    const secret = Buffer.from(client.secret, 'hex');
    if (secret.length !== key.secret.length) return;
    if (timingSafeEqual(secret, key.secret)) client.session.cancel();
  }

  /** Transactions that have begun on several shards. */
  holders(): readonly Holder[] {
    return [...this.#clients.values()].flatMap((client) => {
      const { session } = client;
      if (!(session instanceof Session)) return [];
      const { held } = session.executor.transaction;
      return held.backends.length < 2 ? [] : [{ session: this.#processId(client), ...held }];
    });
  }

  /** `processId`: as in `holders`; the session may be gone. */
  breakDeadlock(processId: number): void {
    const session = this.#clients.get(processId % sessionNumbersMax)?.session;
    if (session instanceof Session) session.executor.breakDeadlock();
  }

  /** Resolves when the last client has left; those left after `timeoutMs` are cut off. */
  drain(timeoutMs: number): Promise<void> {
    const { clock } = this.#world.executor;
    return new Promise((resolve) => {
      const cancelTimer = clock.after(timeoutMs, () => {
        for (const { connection } of [...this.#clients.values()]) connection.terminate(shutdown());
      });
      this.#drained = () => {
        cancelTimer();
        resolve();
      };
      for (const client of [...this.#clients.values()]) {
        if (client.session === null) client.connection.close();
        else client.session.drain();
      }
      if (this.#clients.size === 0) this.#drained();
    });
  }

  /** After a reload or a failover what servers say at login may differ. */
  forgetParameters(): void {
    this.#parameters.forget();
  }

  summaries(): readonly ClientSummary[] {
    return [...this.#clients.values()].map((client) => this.#summary(client));
  }

  #started(startup: Startup, refused: boolean, stopTimer: () => void): void {
    const { socket, request, rest } = startup;
    if (request.kind === 'cancel-request') {
      this.#cancelRequest(request.key);
      socket.destroy();
      return;
    }
    try {
      if (this.#drained !== null) throw shutdown();
      if (refused) {
        throw new PgError(SqlState.tooManyConnections, 'sorry, too many clients already', {
          severity: 'FATAL',
        });
      }
      const user = request.parameters.get('user') ?? '';
      const database = request.parameters.get('database') || user;
      const settings = startupSettings(request.parameters, emptySettings);
      const { limits } = this.#world.config;
      const connection = new ClientConnection(this.#world.executor.clock, socket, limits, silence);
      const client = this.#register(connection, user, database, { ...startup, request });
      if (request.negotiation !== null) {
        connection.push(encodeNegotiateProtocolVersion(request.negotiation));
      }
      this.#admit(client, [{ kind: 'address', name: connection.address }], () => {
        this.#logIn(client, startup, (account) => {
          if (database === adminDatabase) this.#openConsole(client, account, stopTimer);
          else this.#openSession(client, account, settings, stopTimer);
        });
      });
      connection.unshift(rest);
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      sendFatal(socket, error);
    }
  }

  #register(
    connection: ClientConnection,
    user: string,
    database: string,
    startup: Startup & { readonly request: StartupRequest },
  ): Client {
    const { request, tls } = startup;
    const number = this.#freeNumber();
    const client: Client = {
      number,
      secret: randomBytes(request.minor >= 2 ? 32 : 4).toString('hex'),
      connection,
      user,
      database,
      applicationName: request.parameters.get('application_name') ?? '',
      tls: tls !== null,
      connectedAt: this.#world.executor.clock.wallTime(),
      session: null,
      isCounted: false,
    };
    this.#clients.set(number, client);
    connection.handler = { ...silence, onClosed: () => this.#left(client) };
    return client;
  }

  /** Unless there is no room left in one of the places; asks nobody where there are no limits. */
  #admit(client: Client, places: readonly Place[], admitted: () => void): void {
    const { config, admission } = this.#world;
    const limited = limitedPlaces(config.limits, places);
    if (limited.length === 0) {
      admitted();
      return;
    }
    const { connection } = client;
    connection.hold();
    client.isCounted = true;
    admission.take(client.number, limited, (full) => {
      if (connection.closed) return;
      if (full === null) admitted();
      else connection.terminate(placeFull(full));
    });
  }

  #logIn(client: Client, { socket, tls }: Startup, accepted: (user: User) => void): void {
    const { config, executor, accounts, failedLogins, mockSecret } = this.#world;
    const { clock, telemetry } = executor;
    const world = { clock, telemetry, hba: config.hba, accounts, failedLogins, mockSecret };
    const { connection, user, database } = client;
    const { address } = connection;
    const certificate = clientCertificateOf(socket);
    const endPoint = tls?.endPoint ?? null;
    const peer = { user, database, address, tls: tls !== null, certificate, endPoint };
    const login = new Login(
      connection,
      world,
      peer,
      (account) => {
        const isConsole = database === adminDatabase;
        if (!isConsole && database !== config.database) throw unknownDatabase(database);
        const rightful = isConsole ? withConsoleRight(account, config.admin) : account;
        const places = [
          { kind: 'user', name: user },
          { kind: 'database', name: database },
        ] as const;
        this.#admit(client, places, () => accepted(rightful));
      },
      () => this.#left(client),
    );
    connection.handler = login;
    login.begin();
  }

  #openConsole(client: Client, user: User, stopTimer: () => void): void {
    stopTimer();
    const { connection } = client;
    const onEnd = () => this.#left(client);
    client.session = new AdminSession(connection, this.#world.console, user, onEnd);
    this.#welcome(client, client.session, adminParameters);
  }

  #openSession(
    client: Client,
    user: User,
    settings: ReturnType<typeof startupSettings>,
    stopTimer: () => void,
  ): void {
    const { executor } = this.#world;
    const { connection } = client;
    connection.hold();
    let waiting = true;
    const giveUp = this.#parameters.ask(
      { servers: executor.servers, home: executor.planner.shardMap.home, user, settings },
      (frames) => {
        waiting = false;
        stopTimer();
        if (connection.closed) return;
        const onEnd = this.#leaving(client);
        const shared = { texts: this.#texts, processId: this.#processId(client) };
        client.session = new Session(connection, executor, user, settings, shared, onEnd);
        this.#welcome(client, client.session, frames);
      },
      (error) => {
        waiting = false;
        connection.terminate(asFatal(error));
      },
    );
    if (!waiting) return;
    connection.handler = {
      ...silence,
      onClosed: () => {
        giveUp();
        this.#left(client);
      },
    };
  }

  #welcome(client: Client, session: Session | AdminSession, parameters: Buffer): void {
    const { connection, secret } = client;
    const backendId = this.#processId(client);
    connection.handler = session;
    connection.admit();
    connection.push(
      Buffer.concat([
        encodeAuthenticationOk(),
        parameters,
        encodeBackendKeyData({ backendId, secret: Buffer.from(secret, 'hex') }),
        readyForQuery.idle,
      ]),
    );
    connection.flush();
    connection.proceed();
  }

  #cancelRequest(key: CancelKey): void {
    if (workerIndexOf(key.backendId) === this.#world.workerIndex) this.cancel(key);
    else this.#world.forwardCancel(key);
  }

  /** Made here, so that it does not keep alive what belongs to the login. */
  #leaving(client: Client): () => void {
    return () => this.#left(client);
  }

  #left(client: Client): void {
    this.#clients.delete(client.number);
    if (client.isCounted) this.#world.admission.leave(client.number);
    if (this.#clients.size === 0) this.#drained?.();
  }

  #freeNumber(): number {
    do this.#lastNumber = (this.#lastNumber % (sessionNumbersMax - 1)) + 1;
    while (this.#clients.has(this.#lastNumber));
    return this.#lastNumber;
  }

  #processId({ number }: Client): number {
    const { workerIndex } = this.#world;
    return encodeProcessId({ workerIndex, sessionNumber: number });
  }

  #summary(client: Client): ClientSummary {
    const { connection, session } = client;
    const shards =
      session instanceof Session ? [...session.executor.transaction.participants.keys()] : [];
    return {
      processId: this.#processId(client),
      user: client.user,
      database: client.database,
      applicationName: client.applicationName,
      address: connection.address,
      port: connection.port,
      tls: client.tls,
      state: session === null ? 'login' : session.state,
      shards,
      connectedAt: client.connectedAt,
    };
  }
}

const silence: ClientHandler = { onFrame() {}, onClosed() {} };

/** The login timer, or the client, closes the socket: see ClientConnection.terminate. */
function sendFatal(socket: Socket, error: PgError): void {
  socket.on('error', () => socket.destroy());
  socket.end(encodeErrorResponse(asFatal(error)));
  socket.resume();
}
