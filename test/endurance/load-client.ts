import { createConnection, type Socket } from 'node:net';
import { serialize } from 'pg-protocol';
import type { PgError } from '../../src/base/pg-error.ts';
import {
  decodeAuthentication,
  encodeSaslInitialResponse,
  encodeSaslResponse,
} from '../../src/protocol/authentication.ts';
import { type CancelKey, decodeBackendKeyData } from '../../src/protocol/backend-key-data.ts';
import { decodeTextRow } from '../../src/protocol/data-row.ts';
import { decodeErrorResponse } from '../../src/protocol/error-response.ts';
import { FrameReader } from '../../src/protocol/frame-reader.ts';
import { BackendCode } from '../../src/protocol/message-code.ts';
import {
  beginScramClient,
  continueScramClient,
  type ScramLogin,
} from '../../src/protocol/scram-client.ts';
import { hmac, type ScramKeys, saltPassword } from '../../src/protocol/scram-verifier.ts';
import { encodeCancelRequest } from '../../src/protocol/startup-packet.ts';

export type LoadTarget = {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** An address of this machine: each has ports of its own. Default 127.0.0.1. */
  readonly from?: string;
};

type Rows = readonly (readonly (string | null)[])[];
type Waiting = { resolve(rows: Rows): void; reject(error: Error): void };

/** A password is salted once: thousands of clients must not be what takes the time. */
const keysBySalt = new Map<string, ScramKeys>();
const clientNonce = 'endurance';

/** A client that costs little, of which there can be thousands; logs in by SCRAM or trust. */
export class LoadClient {
  readonly socket: Socket;
  readonly #target: LoadTarget;
  readonly #reader = new FrameReader({ frameBytesMax: 2 ** 30 });
  #login: ScramLogin | null = null;
  #rows: (string | null)[][] = [];
  #error: PgError | null = null;
  #waiting: Waiting | null = null;
  /** ReadyForQuery that are still to come. */
  #readies = 1;
  #cancelKey: CancelKey | null = null;

  private constructor(target: LoadTarget) {
    this.#target = target;
    this.socket = createConnection({
      port: target.port,
      host: '127.0.0.1',
      localAddress: target.from ?? '127.0.0.1',
      noDelay: true,
    });
    this.socket.on('data', (chunk) => this.#receive(chunk));
    this.socket.on('error', (error) => this.#lost(error));
    this.socket.on('close', () => this.#lost(new Error('the connection was closed')));
  }

  /** Rejects when the login fails. */
  static async connect(target: LoadTarget): Promise<LoadClient> {
    const client = new LoadClient(target);
    const { user, database } = target;
    await client.#exchange(serialize.startup({ user, database }));
    return client;
  }

  /** The rows of the last answer; rejects with the server's error. */
  query(text: string): Promise<Rows> {
    return this.#exchange(serialize.query(text));
  }

  /** Messages that end in so many ReadyForQuery. */
  send(messages: readonly Buffer[], readies: number): Promise<Rows> {
    return this.#exchange(Buffer.concat(messages), readies);
  }

  /** Of whatever runs when it arrives. */
  cancel(): void {
    if (this.#cancelKey === null) return;
    const socket = createConnection(this.#target.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.end(encodeCancelRequest(this.#cancelKey));
  }

  /** Without waiting for anything. */
  write(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  async end(): Promise<void> {
    const closed = new Promise((resolve) => this.socket.once('close', resolve));
    this.socket.end(serialize.end());
    await closed;
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  #exchange(message: Buffer, readies = 1): Promise<Rows> {
    return new Promise((resolve, reject) => {
      this.#rows = [];
      this.#error = null;
      this.#waiting = { resolve, reject };
      this.#readies = readies;
      if (this.socket.destroyed) this.#lost(new Error('the connection was closed'));
      else this.socket.write(message);
    });
  }

  #receive(chunk: Buffer): void {
    this.#reader.push(chunk);
    while (this.#reader.next()) {
      const { code, chunk: bytes, start, end } = this.#reader;
      if (code === BackendCode.authentication) this.#authenticate(bytes, start, end);
      else if (code === BackendCode.backendKeyData)
        this.#cancelKey = decodeBackendKeyData(bytes, start, end);
      else if (code === BackendCode.dataRow) this.#rows.push(decodeTextRow(bytes, start, end));
      else if (code === BackendCode.errorResponse)
        this.#error = decodeErrorResponse(bytes, start, end);
      else if (code === BackendCode.readyForQuery) this.#answered();
    }
  }

  #answered(): void {
    this.#readies -= 1;
    if (this.#readies > 0) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (this.#error !== null) waiting?.reject(this.#error);
    else waiting?.resolve(this.#rows);
  }

  #authenticate(bytes: Buffer, start: number, end: number): void {
    const request = decodeAuthentication(bytes, start, end);
    if (request.kind === 'sasl') {
      const binding = { kind: 'none' } as const;
      const first = beginScramClient({ clientNonce, binding });
      this.socket.write(encodeSaslInitialResponse('SCRAM-SHA-256', first));
    } else if (request.kind === 'sasl-continue') {
      const secret = { kind: 'keys', keys: this.#keysFor(request.message) } as const;
      this.#login = { secret, clientNonce, binding: { kind: 'none' } };
      const { message } = continueScramClient(this.#login, request.message);
      this.socket.write(encodeSaslResponse(message));
    }
  }

  #keysFor(serverFirst: string): ScramKeys {
    const [, salt = '', iterations = ''] = /,s=([^,]+),i=(\d+)/.exec(serverFirst) ?? [];
    const { password } = this.#target;
    const known = keysBySalt.get(`${password} ${salt}`);
    if (known !== undefined) return known;
    const salted = saltPassword(password, Buffer.from(salt, 'base64'), Number(iterations));
    const keys = { clientKey: hmac(salted, 'Client Key'), serverKey: hmac(salted, 'Server Key') };
    keysBySalt.set(`${password} ${salt}`, keys);
    return keys;
  }

  #lost(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.reject(this.#error ?? error);
  }
}

/** One of eight addresses of this machine: 28,000 ports are not enough for a storm. */
export function addressOf(index: number): string {
  return `127.0.0.${1 + (index % 8)}`;
}
