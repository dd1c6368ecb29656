import type { ConnectionOptions } from 'node:tls';
import { Client, type QueryResultRow } from 'pg';
import { readServerTls, tlsOptionsFor } from '../backend/server-tls.ts';
import { PgError } from '../base/pg-error.ts';
import { SqlState } from '../base/sql-state.ts';
import type { Config, NodeAddress, ServerEncryption } from '../config/config.ts';

/** How pgweave's own sessions present themselves; a fence spares them. */
export const controlApplicationName = 'pgweave control';

export type ControlLogin = {
  readonly database: string;
  readonly user: string;
  readonly password: string | null;
  readonly encryption: ServerEncryption;
};

/** The login of pgweave's own role. */
export function controlLogin(
  config: Pick<Config, 'database' | 'controlUser' | 'serverEncryption'>,
): ControlLogin {
  const { database, controlUser, serverEncryption: encryption } = config;
  return { database, user: controlUser.name, password: controlUser.password, encryption };
}

export type ControlConnectionOptions = {
  readonly node: NodeAddress;
  readonly login: ControlLogin;
  /** For connecting and for each statement; longer breaks the connection. */
  readonly timeoutMs: number;
  /** Settings of the session, e.g. `synchronous_commit`. */
  readonly settings?: { readonly [name: string]: string };
};

/**
 * A session of the control role: health, promotion, catalogue. For clarity, not for speed: rows
 * arrive as objects of texts and numbers. Errors are PgErrors; the server's own SQLSTATE is kept.
 */
export class ControlConnection {
  readonly #client: Client;
  readonly #node: NodeAddress;
  #closed = false;
  #onLost: () => void = () => {};

  private constructor(client: Client, node: NodeAddress) {
    this.#client = client;
    this.#node = node;
    // Without a listener, a lost connection would end the whole program.
    client.on('error', () => this.#lost());
    client.on('end', () => this.#lost());
  }

  /** Encrypted as `login.encryption` says; its files are read anew each time. */
  static async open(options: ControlConnectionOptions): Promise<ControlConnection> {
    const tls = readServerTls(options.login.encryption, process.env);
    const open = (ssl: ConnectionOptions | false) => ControlConnection.#connect(options, ssl);
    const encrypted = tlsOptionsFor(options.node, tls);
    switch (tls.mode) {
      case 'disable':
        return await open(false);
      case 'allow':
        return await open(false).catch((error: unknown) => {
          if (!isRejection(error)) throw error;
          return open(encrypted);
        });
      case 'prefer':
        return await open(encrypted).catch((error: unknown) => {
          if (!isRejection(error) && !isUnwilling(error)) throw error;
          return open(false);
        });
      default:
        return await open(encrypted);
    }
  }

  static async #connect(
    options: ControlConnectionOptions,
    ssl: ConnectionOptions | false,
  ): Promise<ControlConnection> {
    const { node, login, timeoutMs, settings = {} } = options;
    const client = new Client({
      ssl,
      host: node.host,
      port: node.port,
      database: login.database,
      user: login.user,
      ...(login.password === null ? {} : { password: login.password }),
      application_name: controlApplicationName,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      options: Object.entries({ search_path: 'pg_catalog', ...settings })
        .map(([name, value]) => `-c ${name}=${value}`)
        .join(' '),
    });
    const connection = new ControlConnection(client, node);
    try {
      await client.connect();
    } catch (cause) {
      connection.close();
      throw translated(node, cause);
    }
    return connection;
  }

  get alive(): boolean {
    return !this.#closed;
  }

  /** Called once when the connection ends without close(). */
  onLost(callback: () => void): void {
    this.#onLost = callback;
  }

  async query<Row extends QueryResultRow>(
    sql: string,
    values: readonly (string | number)[] = [],
  ): Promise<readonly Row[]> {
    try {
      const result = await this.#client.query<Row>(sql, [...values]);
      return result.rows;
    } catch (cause) {
      // A statement that timed out is still in flight: nothing may follow it here.
      if (!isServerError(cause)) this.close();
      throw translated(this.#node, cause);
    }
  }

  /** Several statements in one flight, one transaction unless they say otherwise. No rows. */
  async execute(sql: string): Promise<void> {
    try {
      await this.#client.query(sql);
    } catch (cause) {
      if (!isServerError(cause)) this.close();
      throw translated(this.#node, cause);
    }
  }

  /** At once and without a goodbye, which a silent server would never take. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.connection.stream.destroy();
  }

  #lost(): void {
    if (this.#closed) return;
    this.close();
    this.#onLost();
  }
}

/** A connection for the time of `work`. */
export async function withControlConnection<Result>(
  options: ControlConnectionOptions,
  work: (connection: ControlConnection) => Promise<Result>,
): Promise<Result> {
  const connection = await ControlConnection.open(options);
  try {
    return await work(connection);
  } finally {
    connection.close();
  }
}

/** pg_hba.conf has no line for a connection (un)encrypted like this. */
function isRejection(error: unknown): boolean {
  return error instanceof PgError && error.sqlState === SqlState.invalidAuthorization;
}

/** pg's words for a server that answers the request for TLS with no. */
function isUnwilling(error: unknown): boolean {
  return error instanceof PgError && error.message.includes('does not support ssl');
}

function isServerError(error: unknown): error is Error & { readonly code: string } {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^[0-9A-Z]{5}$/.test(error.code) &&
    'severity' in error
  );
}

function translated(node: NodeAddress, cause: unknown): PgError {
  if (isServerError(cause))
    return new PgError(cause.code, `${node.id}: ${cause.message}`, { cause });
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new PgError(SqlState.connectionFailure, `${node.id}: ${reason.toLowerCase()}`, { cause });
}
