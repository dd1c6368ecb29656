import type { PgError } from '../base/pg-error.ts';
import type { NodeAddress } from '../config/config.ts';
import type { TypeTranslation } from '../protocol/type-translation.ts';
import type { Exchange, TransactionStatus } from './exchange.ts';
import type { SessionSettings } from './session-settings.ts';

/** The session that a connection is reserved for. */
export type ConnectionHolder = {
  /** It needs the connection for a moment only, which no limit counts. */
  readonly isBrief: boolean;
  /** A NotificationResponse, valid in the call. */
  notified(frame: Buffer): void;
  /** The connection is gone, and with it what the session had there; its exchanges know already. */
  lost(error: PgError): void;
};

/** A logged-in connection to one server, used as a pipeline (architecture.md, section 4). */
export type ServerConnection = {
  readonly node: NodeAddress;
  /** Of the server's session, as it says; null: it has not said. */
  readonly processId: number | null;
  readonly status: TransactionStatus;
  /** Exchanges that were sent and have not ended. */
  readonly depth: number;
  /** False once it broke or was closed; then every exchange got its onLost. */
  readonly alive: boolean;
  readonly settings: SessionSettings;
  /**
   * null: types have the OIDs of the home shard's servers. Else answers are translated already, but
   * what is sent must name the types of this server: see serverTypeOids.
   */
  readonly types: TypeTranslation | null;
  /** The server's ParameterStatus values as they are now: server_version, TimeZone ... */
  readonly parameters: ReadonlyMap<string, string>;
  /**
   * Queues the exchange and the messages that make it. All writes of one turn of the event loop,
   * from all clients, leave together. The buffers belong to the connection from now on. On a
   * connection that is no longer alive: onLost, in a later turn.
   */
  send(exchange: Exchange, messages: readonly Buffer[]): void;
  /** More messages for the exchange at the tail (COPY data, a later Sync). */
  append(messages: readonly Buffer[]): void;
  /** Bytes accepted but not yet taken by the kernel; above the high-water mark stop appending. */
  readonly unsentBytes: number;
  /** Calls back once when the kernel takes bytes again; never when the connection is lost before. */
  onDrain(callback: () => void): void;
  /**
   * Back-pressure: stops reading from the server. Affects all exchanges in the pipeline, and ends
   * by itself with the exchange at the head. Frames of the chunk at hand still come.
   */
  pause(): void;
  resume(): void;
  /**
   * Server-side prepared statements by name. `prepare` notes that a Parse for the name is being
   * sent and returns the name it evicts (to be closed by the caller in the same flight) or null.
   */
  hasPrepared(name: string): boolean;
  notePrepared(name: string): string | null;
  forgetPrepared(name: string): void;
  /** Forgets all after DISCARD ALL / DEALLOCATE ALL. */
  forgetAllPrepared(): void;
  /**
   * Sends CancelRequests while `exchange` is at the head, from now or from then on, until its end;
   * does nothing when it has ended. They cannot hit another client: an exchange behind it that is struck gets onLost instead of an
   * error, and the connection is not handed on before the server has dealt with the request.
   */
  cancel(exchange: Exchange): void;
  /** The settings that the server session holds now, after the owner changed them itself. */
  adoptSettings(settings: SessionSettings): void;
  /**
   * The server session holds more than `settings` says (LISTEN, a temporary table, an unknown SET):
   * it is reset with DISCARD ALL before the next lease.
   */
  taint(): void;
  /**
   * One session needs this server session from now on: release() leaves it with the holder, until
   * unreserve(). For who has an exclusive lease. Not null: why it cannot be had (53300).
   */
  reserve(holder: ConnectionHolder): PgError | null;
  /** Tainted, and back to the pool as soon as what was sent is answered. */
  unreserve(): void;
  /** Back to the pool. Not idle (in a transaction, exchanges pending): it is closed instead. */
  release(): void;
  /** Closes at once; pending exchanges get onLost. */
  destroy(reason: string): void;
};
