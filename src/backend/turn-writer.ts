import type { Socket } from 'node:net';

/**
 * Gathers what is written to a socket in one turn of the event loop into one write: the callbacks of
 * all sockets that became readable run before setImmediate's, so the statements of many clients
 * leave in one system call and arrive at the server in one read.
 */
export class TurnWriter {
  readonly #socket: Socket;
  #queued: Buffer[] = [];
  #queuedBytes = 0;
  #isScheduled = false;
  #drainCallbacks: (() => void)[] = [];
  readonly #flushTurn = (): void => {
    this.#isScheduled = false;
    this.flush();
    if (this.#socket.writable && !this.#socket.writableNeedDrain) this.#drained();
  };

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('drain', () => this.#drained());
  }

  /** Bytes accepted and not yet taken by the kernel. */
  get unsentBytes(): number {
    return this.#queuedBytes + this.#socket.writableLength;
  }

  /** The buffers are the writer's from now on. */
  write(buffers: readonly Buffer[]): void {
    for (const buffer of buffers) {
      this.#queued.push(buffer);
      this.#queuedBytes += buffer.length;
    }
    this.#schedule();
  }

  /** Calls back once, in a later turn, when the kernel takes bytes; never once the socket is gone. */
  onDrain(callback: () => void): void {
    this.#drainCallbacks.push(callback);
    if (!this.#socket.writableNeedDrain) this.#schedule();
  }

  /** Writes now what is queued. */
  flush(): void {
    const buffers = this.#queued;
    if (buffers.length === 0 || !this.#socket.writable) return;
    const bytes = this.#queuedBytes;
    this.#queued = [];
    this.#queuedBytes = 0;
    const [first] = buffers;
    if (buffers.length === 1 && first !== undefined) this.#socket.write(first);
    else if (bytes <= joinedBytesMax) this.#socket.write(Buffer.concat(buffers, bytes));
    else this.#writeEach(buffers);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(this.#flushTurn);
  }

  #writeEach(buffers: readonly Buffer[]): void {
    this.#socket.cork();
    for (const buffer of buffers) this.#socket.write(buffer);
    this.#socket.uncork();
  }

  #drained(): void {
    if (this.#drainCallbacks.length === 0) return;
    const callbacks = this.#drainCallbacks;
    this.#drainCallbacks = [];
    for (const callback of callbacks) callback();
  }
}

/** Below it copying is cheaper than a write request per buffer. */
const joinedBytesMax = 16 * 1024;
