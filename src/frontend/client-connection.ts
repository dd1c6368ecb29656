import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import { PgError } from '../base/pg-error.ts';
import type { ClientOutput } from '../executor/client-output.ts';
import { encodeErrorResponse } from '../protocol/error-response.ts';
import { FrameReader } from '../protocol/frame-reader.ts';

export type ClientConnectionOptions = {
  readonly messageBytesMax: number;
  readonly clientBufferBytes: number;
};

/** What a connection hands its input to: first the startup, then the login, then the session. */
export type ClientHandler = {
  /** One message; valid in this call. May throw PgError: a FATAL one ends the connection. */
  onFrame(code: number, chunk: Buffer, start: number, end: number): void;
  /**
   * A piece of a CopyData message that is longer than a socket read, in order; `remaining` bytes of
   * it follow. Without it such messages are dropped.
   */
  onFramePart?(code: number, chunk: Buffer, start: number, end: number, remaining: number): void;
  onClosed(): void;
};

/** Input that waits for the session to be free; above it the socket is not read. */
const heldBytesMax = 64 * 1024;
/** Output is handed to the kernel from this size on, without waiting for the end of the answer. */
const flushBytes = 32 * 1024;
/** A client behind a shared pipeline may not stop the others: so much unread, and it is cut off. */
const sharedBufferFactor = 16;
/** Bytes of one message of a client that nobody knows yet (PG_MAX_AUTH_TOKEN_LENGTH). */
const loginMessageBytesMax = 65_536;
/** Messages in one turn; then others have theirs. A statement that a server answers ends the turn anyway. */
const framesPerTurn = 256;
/** How long a client may take to read our last words and to hang up. */
const lingerMs = 5_000;

/**
 * The socket of one client: bytes in, frames out to the handler; answers collected and written in
 * as few calls as possible. While `hold` is on, input waits and, beyond a little, TCP makes the
 * client wait.
 */
export class ClientConnection implements ClientOutput {
  handler: ClientHandler;
  readonly #clock: Clock;
  readonly #options: ClientConnectionOptions;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  #held = false;
  #advancing = false;
  /** It has had its turn, and goes on in the next one. */
  #resting = false;
  #waiting: Buffer[] | null = null;
  #waitingBytes = 0;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  /** Of the frames since the kernel has taken all. */
  #longestUnsent = 0;
  #drainCallbacks: (() => void)[] | null = null;
  #flushScheduled = false;
  #closed = false;

  constructor(
    clock: Clock,
    socket: Socket,
    options: ClientConnectionOptions,
    handler: ClientHandler,
  ) {
    this.#clock = clock;
    this.#options = options;
    this.#socket = socket;
    this.#reader = new FrameReader({
      frameBytesMax: Math.min(loginMessageBytesMax, options.messageBytesMax),
    });
    this.handler = handler;
    this.#attach();
  }

  /** Empty when the socket has none any more. */
  get address(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get port(): number {
    return this.#socket.remotePort ?? 0;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get writable(): boolean {
    return this.unsentBytes < this.#options.clientBufferBytes;
  }

  /** None when the client is gone: nobody may wait for it to read what its socket still holds. */
  get unsentBytes(): number {
    if (this.#closed) return 0;
    return this.#socket.writableLength + this.#pendingBytes;
  }

  /** The client has logged in: its messages may be as long as the configuration says, COPY data longer. */
  admit(): void {
    this.#reader.parts = true;
    this.#reader.frameBytesMax = this.#options.messageBytesMax;
  }

  /** Bytes that came before this object took the socket over. */
  unshift(bytes: Buffer): void {
    if (bytes.length > 0) this.receive(bytes);
  }

  write(bytes: Buffer, start: number, end: number): void {
    this.push(Buffer.from(bytes.subarray(start, end)));
  }

  push(frame: Buffer): void {
    if (this.#closed) return;
    // One long row is no reason, and what follows it neither.
    const bytesMax = this.#options.clientBufferBytes * sharedBufferFactor + this.#longestUnsent;
    if (this.unsentBytes > bytesMax) {
      this.close();
      return;
    }
    if (frame.length > this.#longestUnsent) this.#longestUnsent = frame.length;
    this.#pending.push(frame);
    this.#pendingBytes += frame.length;
    if (this.#pendingBytes >= flushBytes) this.#flushNow();
    else if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      setImmediate(flushScheduled, this);
    }
  }

  /** At once, or, while messages are being handled, behind them: one write for all their answers. */
  flush(): void {
    if (!this.#advancing) this.#flushNow();
  }

  #flushNow(): void {
    const pending = this.#pending;
    const first = pending[0];
    if (first === undefined || this.#closed) return;
    this.#pending = [];
    this.#socket.write(pending.length === 1 ? first : Buffer.concat(pending, this.#pendingBytes));
    this.#pendingBytes = 0;
  }

  /** The end of a turn with output that nobody flushed. */
  flushAtTurnEnd(): void {
    this.#flushScheduled = false;
    this.flush();
  }

  onDrain(callback: () => void): void {
    if (this.#closed || this.writable) {
      callback();
      return;
    }
    this.#drainCallbacks ??= [];
    this.#drainCallbacks.push(callback);
  }

  /** No frame reaches the handler until `proceed`. */
  hold(): void {
    this.#held = true;
  }

  proceed(): void {
    this.#held = false;
    if (!this.#advancing && !this.#resting) this.#advance();
  }

  /**
   * Says goodbye and closes. What the client still sends is read and thrown away: closing a socket
   * with unread input makes the kernel throw away our last words.
   */
  terminate(error: PgError): void {
    if (this.#closed) return;
    this.push(encodeErrorResponse(error));
    this.#flushNow();
    const socket = this.#socket;
    socket.end();
    socket.resume();
    const stopTimer = this.#clock.after(lingerMs, () => socket.destroy());
    socket.once('close', stopTimer);
    this.#ended();
  }

  /** Closes without a word; what has been answered goes out as far as the kernel takes it. */
  close(): void {
    if (this.#closed) return;
    this.#flushNow();
    this.#socket.destroy();
    this.#ended();
  }

  #attach(): void {
    const socket: OwnedSocket = this.#socket;
    socket[owner] = this;
    socket.setNoDelay(true);
    socket.on('data', onData);
    socket.on('drain', onDrain);
    socket.on('error', onEnd);
    socket.on('end', onEnd);
    socket.on('close', onEnd);
    socket.resume();
  }

  /** The kernel has taken what was written. */
  drained(): void {
    this.#longestUnsent = 0;
    const callbacks = this.#drainCallbacks;
    this.#drainCallbacks = null;
    for (const callback of callbacks ?? []) callback();
  }

  /** Bytes of the client. */
  receive(chunk: Buffer): void {
    if (this.#closed) return;
    if (this.#held || this.#advancing || this.#resting || this.#waiting !== null) {
      this.#waiting ??= [];
      this.#waiting.push(chunk);
      this.#waitingBytes += chunk.length;
      if (this.#waitingBytes > heldBytesMax) this.#socket.pause();
      if (!this.#held) this.proceed();
      return;
    }
    this.#reader.push(chunk);
    this.#advance();
  }

  #advance(): void {
    this.#advancing = true;
    let framesLeft = framesPerTurn;
    try {
      while (!this.#held && !this.#closed) {
        if (framesLeft === 0) {
          this.#rest();
          break;
        }
        if (this.#reader.next()) {
          framesLeft -= 1;
          const { code, chunk, start, end, isPart } = this.#reader;
          if (!isPart) this.handler.onFrame(code, chunk, start, end);
          else this.handler.onFramePart?.(code, chunk, start, end, this.#reader.remaining);
        } else if (!this.#nextChunk()) break;
      }
    } catch (error) {
      if (!(error instanceof PgError)) throw error;
      this.terminate(fatal(error));
    } finally {
      this.#advancing = false;
      this.#flushNow();
    }
  }

  #rest(): void {
    this.#resting = true;
    setImmediate(goOn, this);
  }

  /** The next turn. */
  goOn(): void {
    this.#resting = false;
    if (!this.#held && !this.#closed) this.#advance();
  }

  #nextChunk(): boolean {
    const chunk = this.#waiting?.shift();
    if (chunk === undefined) {
      this.#waiting = null;
      return false;
    }
    this.#waitingBytes -= chunk.length;
    if (this.#waitingBytes <= heldBytesMax) this.#socket.resume();
    this.#reader.push(chunk);
    return true;
  }

  #ended(): void {
    this.#closed = true;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#waiting = null;
    this.drained();
    this.handler.onClosed();
  }
}

/** Listeners find their connection at the socket: closures would cost each idle client 300 bytes. */
const owner = Symbol('owner');
type OwnedSocket = Socket & { [owner]?: ClientConnection };

function onData(this: OwnedSocket, chunk: Buffer): void {
  this[owner]?.receive(chunk);
}

function onDrain(this: OwnedSocket): void {
  this[owner]?.drained();
}

function onEnd(this: OwnedSocket): void {
  this[owner]?.close();
}

function flushScheduled(connection: ClientConnection): void {
  connection.flushAtTurnEnd();
}

function goOn(connection: ClientConnection): void {
  connection.goOn();
}

function fatal(error: PgError): PgError {
  if (error.severity === 'FATAL') return error;
  const { detail, hint, cause } = error;
  return new PgError(error.sqlState, error.message, { detail, hint, cause, severity: 'FATAL' });
}
