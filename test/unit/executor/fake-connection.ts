import type { Exchange, TransactionStatus } from '../../../src/backend/exchange.ts';
import type { ServerConnection } from '../../../src/backend/server-connection.ts';
import { emptySettings } from '../../../src/backend/session-settings.ts';
import { PgError } from '../../../src/base/pg-error.ts';
import { SqlState } from '../../../src/base/sql-state.ts';
import type { NodeAddress, NodeId } from '../../../src/config/config.ts';
import { BackendCode } from '../../../src/protocol/message-code.ts';
import { readyForQuery } from '../../../src/protocol/ready-for-query.ts';
import type { ShardId } from '../../../src/sharding/shard-id.ts';

const statusOfCode: { readonly [code: number]: TransactionStatus } = {
  73: 'idle',
  84: 'in-transaction',
  69: 'failed',
};

/**
 * A server connection whose server is the test: it sees what was sent and says what comes back,
 * chunk by chunk. Frames go to the exchange at the head, as the real pipeline does it.
 */
export class FakeConnection implements ServerConnection {
  readonly node: NodeAddress;
  readonly settings = emptySettings;
  readonly parameters = new Map<string, string>();
  readonly unsentBytes = 0;
  readonly processId = null;
  readonly types = null;
  /** Each send() as the letters of its messages, e.g. `PBDES`. */
  readonly flights: string[] = [];
  readonly messages: Buffer[] = [];
  readonly cancelled: Exchange[] = [];
  status: TransactionStatus = 'idle';
  alive = true;
  isPaused = false;
  pauses = 0;
  released = 0;
  #queue: Exchange[] = [];

  constructor(name: string) {
    const shard = name as ShardId;
    this.node = { id: `${name}:5432` as NodeId, host: name, port: 5432, shard };
  }

  get depth(): number {
    return this.#queue.length;
  }

  send(exchange: Exchange, messages: readonly Buffer[]): void {
    this.#queue.push(exchange);
    this.messages.push(...messages);
    this.flights.push(messages.map((message) => String.fromCharCode(message[0] ?? 0)).join(''));
  }

  /** One chunk of whole frames from the server. ReadyForQuery moves on to the next exchange. */
  deliver(...frames: Buffer[]): void {
    const chunk = Buffer.concat(frames);
    let isInRange = false;
    for (let start = 0; start < chunk.length; ) {
      const end = start + 1 + chunk.readInt32BE(start + 1);
      const head = this.#queue[0];
      if (head === undefined) throw new Error('the server answers although nothing was asked');
      if (chunk[start] === BackendCode.readyForQuery) {
        if (isInRange) head.onChunkEnd();
        isInRange = false;
        this.status = statusOfCode[chunk[start + 5] ?? 0] ?? 'idle';
        this.#queue.shift();
        head.onReady(this.status, 0);
      } else {
        head.onFrame(chunk[start] ?? 0, chunk, start, end);
        isInRange = true;
      }
      start = end;
    }
    if (isInRange) this.#queue[0]?.onChunkEnd();
    // The next chunk is read into the same memory.
    chunk.fill(0xee);
  }

  ready(status: TransactionStatus = 'idle'): void {
    this.deliver(readyForQuery[status]);
  }

  lose(error: PgError): void {
    this.alive = false;
    for (const exchange of this.#queue.splice(0)) exchange.onLost(error);
  }

  cancel(exchange: Exchange): void {
    if (exchange === this.#queue[0]) this.cancelled.push(exchange);
  }

  pause(): void {
    this.isPaused = true;
    this.pauses++;
  }

  resume(): void {
    this.isPaused = false;
  }

  release(): void {
    this.released++;
  }

  append(): void {}
  onDrain(): void {}
  hasPrepared(): boolean {
    return false;
  }
  notePrepared(): string | null {
    return null;
  }
  forgetPrepared(): void {}
  forgetAllPrepared(): void {}
  adoptSettings(): void {}
  taint(): void {}
  cleanse(): void {}
  reserve(): null {
    return null;
  }
  unreserve(): void {}
  destroy(reason: string): void {
    this.lose(new PgError(SqlState.connectionFailure, reason));
  }
}
