import { connect, createServer, type Server, type Socket } from 'node:net';

/** Lies in wait for one statement of the simple protocol. */
export type Tap = {
  matches(sql: string): boolean;
  /**
   * `unsent`: the server never gets it; `sent`: it does, and nobody waits for the answer; `answered`:
   * the answer came, and is not passed on.
   */
  readonly when: 'unsent' | 'sent' | 'answered';
  /** Nothing passes meanwhile; afterwards the connection is reset. */
  hit(): Promise<void>;
};

const query = 0x51; // Q
const requestCodeMin = 80_877_102;

/** A link between pgweave and a server, which a test can cut at a certain statement. */
export class TappedRelay {
  readonly port: number;
  readonly #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Its first statement that matches takes it away. */
  tap: Tap | null = null;

  private constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  static async start(port: number, target: number): Promise<TappedRelay> {
    const relay = new TappedRelay(port, target);
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject);
      relay.#server.listen(port, '127.0.0.1', resolve);
    });
    return relay;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    const server = connect({ host: '127.0.0.1', port: this.#target, noDelay: true });
    const link = new TappedLink(client, server, (sql) => this.#taken(sql));
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        link.end();
      });
    }
  }

  #taken(sql: string): Tap | null {
    const { tap } = this;
    if (tap === null || !tap.matches(sql)) return null;
    this.tap = null;
    return tap;
  }
}

class TappedLink {
  readonly #client: Socket;
  readonly #server: Socket;
  readonly #taken: (sql: string) => Tap | null;
  #rest: Buffer = Buffer.alloc(0);
  #started = false;
  /** Nothing passes any more, but what `waiting` waits for. */
  #held = false;
  #waiting: Tap | null = null;

  constructor(client: Socket, server: Socket, taken: (sql: string) => Tap | null) {
    this.#client = client;
    this.#server = server;
    this.#taken = taken;
    client.on('data', (chunk) => this.#fromClient(chunk));
    server.on('data', (chunk) => this.#fromServer(chunk));
  }

  end(): void {
    const tap = this.#waiting;
    this.#waiting = null;
    if (tap !== null) this.#hit(tap);
    if (this.#held) return;
    this.#client.resetAndDestroy();
    this.#server.resetAndDestroy();
  }

  #fromServer(chunk: Buffer): void {
    const tap = this.#waiting;
    this.#waiting = null;
    if (tap !== null) this.#hit(tap);
    else if (!this.#held) this.#client.write(chunk);
  }

  #fromClient(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (let frame = this.#next(); frame !== null && !this.#held; frame = this.#next()) {
      const tap = frame[0] === query && this.#started ? this.#tapOf(frame) : null;
      if (tap?.when !== 'unsent') this.#server.write(frame);
      if (tap !== null) this.#hold(tap);
    }
  }

  /** The first message has no code; requests for encryption come before it. */
  #next(): Buffer | null {
    const lengthAt = this.#started ? 1 : 0;
    if (this.#rest.length < lengthAt + 4) return null;
    const length = lengthAt + this.#rest.readInt32BE(lengthAt);
    if (this.#rest.length < length) return null;
    const frame = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    if (!this.#started && frame.readInt32BE(4) < requestCodeMin) this.#started = true;
    return frame;
  }

  #tapOf(frame: Buffer): Tap | null {
    return this.#taken(frame.toString('utf8', 5, frame.length - 1));
  }

  #hold(tap: Tap): void {
    this.#held = true;
    if (tap.when === 'answered') this.#waiting = tap;
    else this.#hit(tap);
  }

  #hit(tap: Tap): void {
    const end = () => {
      this.#held = false;
      this.end();
    };
    tap.hit().then(end, end);
  }
}
