import { createConnection, type Socket } from 'node:net';
import { MessageWriter } from '../../src/protocol/message-writer.ts';

/** A socket, and what came back on it. */
export class RawClient {
  readonly socket: Socket;
  received: Buffer = Buffer.alloc(0);
  ended = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on('error', () => {});
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.ended = true;
    });
  }

  static connect(port: number): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(port, '127.0.0.1', () => resolve(client));
      const client = new RawClient(socket);
      socket.once('error', reject);
    });
  }

  /** A write per byte, each in a turn of its own. */
  async writeBytes(bytes: Buffer): Promise<void> {
    for (const byte of bytes) {
      this.socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Bodies of the messages with this code so far. */
  messages(letter: string): Buffer[] {
    const bodies: Buffer[] = [];
    for (let at = 0; at + 5 <= this.received.length; ) {
      const end = at + 1 + this.received.readInt32BE(at + 1);
      if (end > this.received.length) break;
      if (this.received[at] === letter.charCodeAt(0)) {
        bodies.push(Buffer.from(this.received.subarray(at + 5, end)));
      }
      at = end;
    }
    return bodies;
  }

  /** SQLSTATE of the last ErrorResponse; empty without one. */
  get sqlState(): string {
    const body = this.messages('E').at(-1);
    return /C(\w{5})\0/.exec(body?.toString() ?? '')?.[1] ?? '';
  }

  /** ReadyForQuery so far. */
  get readyCount(): number {
    return this.messages('Z').length;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** StartupMessage of protocol 3.`minor`. */
export function startupPacket(parameters: { readonly [name: string]: string }, minor = 0): Buffer {
  const body = new MessageWriter().int32(196_608 + minor);
  for (const [name, value] of Object.entries(parameters)) body.cString(name).cString(value);
  return withLength(body.int8(0).take());
}

/** SSLRequest is 80877103, GSSENCRequest 80877104. */
export function requestPacket(code: number): Buffer {
  return withLength(new MessageWriter().int32(code).take());
}

function withLength(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length + 4);
  return Buffer.concat([length, body]);
}
