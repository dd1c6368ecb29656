import type { Exchange } from '../../backend/exchange.ts';
import type { ServerConnection } from '../../backend/server-connection.ts';
import { assert } from '../../base/assert.ts';
import type { PgError } from '../../base/pg-error.ts';
import { decodeCommandComplete } from '../../protocol/command-complete.ts';
import { copyDone } from '../../protocol/constant-messages.ts';
import { encodeCopyFail } from '../../protocol/copy-fail-message.ts';
import { BackendCode, FrontendCode } from '../../protocol/message-code.ts';
import { encodeQuery } from '../../protocol/query-message.ts';
import type { ShardId } from '../../sharding/shard-id.ts';
import { copyBufferBytes } from './copy-receiver.ts';
import { SentLines } from './sent-lines.ts';

/** Rows of one shard are sent in messages of about this size. */
const batchBytes = 32 * 1024;
const headerBytes = 5;
const noBytes = Buffer.alloc(0);

export type ShardInputEvents = {
  /** The server waits for data; `response` is its CopyInResponse. */
  opened(response: Buffer): void;
  /** An ErrorResponse, or a NoticeResponse, copied. */
  errored(input: ShardInput, frame: Buffer): void;
  lost(error: PgError): void;
  notice(input: ShardInput, frame: Buffer): void;
  /** The exchange is over, after success or an error. */
  ended(): void;
};

/** COPY FROM STDIN on one shard: collects rows into few messages. */
export class ShardInput implements Exchange {
  readonly readyCount = 1;
  readonly shard: ShardId;
  readonly lines = new SentLines();
  readonly #events: ShardInputEvents;
  #connection: ServerConnection | null = null;
  #state: 'waiting' | 'opening' | 'open' | 'ending' | 'ended' = 'waiting';
  #batch = noBytes;
  #length = 0;
  #hasErrored = false;
  #rows = 0;

  constructor(shard: ShardId, events: ShardInputEvents) {
    this.shard = shard;
    this.#events = events;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  get hasEnded(): boolean {
    return this.#state === 'ended';
  }

  /** As the server has counted them. */
  get rows(): number {
    return this.#rows;
  }

  get connection(): ServerConnection | null {
    return this.#connection;
  }

  get writable(): boolean {
    return (this.#connection?.unsentBytes ?? 0) < copyBufferBytes;
  }

  open(connection: ServerConnection, text: string): void {
    assert(this.#state === 'waiting', 'a COPY is opened once');
    this.#state = 'opening';
    this.#connection = connection;
    connection.send(this, [encodeQuery(text)]);
  }

  /** Copies the bytes. */
  add(bytes: Buffer, start: number, end: number): void {
    const size = end - start;
    if (this.#length + size > this.#batch.length) {
      this.#flush();
      this.#batch = Buffer.allocUnsafeSlow(Math.max(batchBytes, headerBytes + size));
      this.#length = headerBytes;
    }
    bytes.copy(this.#batch, this.#length, start, end);
    this.#length += size;
  }

  /** No more rows: the server finishes what it has. */
  finish(trailer: Buffer): void {
    if (this.#state === 'waiting') this.#state = 'ended';
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    if (trailer.length > 0) this.add(trailer, 0, trailer.length);
    this.#flush();
    this.#connection?.append([copyDone]);
  }

  /** The client has ended it in this way. */
  fail(reason: string): void {
    if (this.#state === 'waiting') this.#state = 'ended';
    if (this.#state !== 'open') return;
    this.#state = 'ending';
    this.#flush();
    this.#connection?.append([encodeCopyFail(reason)]);
  }

  cancel(): void {
    if (this.#state === 'waiting') this.#state = 'ended';
    else this.#connection?.cancel(this);
  }

  onFrame(code: number, chunk: Buffer, start: number, end: number): void {
    switch (code) {
      case BackendCode.copyInResponse:
        this.#state = 'open';
        this.#events.opened(Buffer.from(chunk.subarray(start, end)));
        return;
      case BackendCode.errorResponse:
        if (this.#hasErrored) return;
        this.#hasErrored = true;
        this.#state = 'ending';
        this.#events.errored(this, Buffer.from(chunk.subarray(start, end)));
        return;
      case BackendCode.noticeResponse:
        this.#events.notice(this, Buffer.from(chunk.subarray(start, end)));
        return;
      case BackendCode.commandComplete:
        this.#rows = Number(decodeCommandComplete(chunk, start, end).split(' ')[1] ?? 0);
        return;
      default:
        return;
    }
  }

  onChunkEnd(): void {}

  onReady(): void {
    this.#state = 'ended';
    this.#events.ended();
  }

  onLost(error: PgError): void {
    this.#state = 'ended';
    this.#events.lost(error);
  }

  #flush(): void {
    if (this.#length <= headerBytes) return;
    const message = this.#batch.subarray(0, this.#length);
    message[0] = FrontendCode.copyData;
    message.writeInt32BE(this.#length - 1, 1);
    this.#connection?.append([message]);
    this.#batch = noBytes;
    this.#length = 0;
  }
}
