import { createConnection, type Socket } from 'node:net';
import { serialize } from 'pg-protocol';

export type Streamed = {
  readonly rows: number;
  readonly firstRowMs: number;
  readonly allMs: number;
};

type Target = { readonly host: string; readonly port: number };

/** Runs a query and counts its rows without keeping them. The server must trust the user. */
export async function streamRows(
  target: Target,
  login: Record<string, string>,
  sql: string,
): Promise<Streamed> {
  const socket = createConnection(target);
  const messages = new MessageCodes(socket);
  try {
    socket.write(serialize.startup(login));
    await messages.until('Z', () => {});
    const startedAt = performance.now();
    let rows = 0;
    let firstRowMs = Number.NaN;
    socket.write(serialize.query(sql));
    await messages.until('Z', (code) => {
      if (code === 'E') throw new Error('the query failed');
      if (code !== 'D') return;
      if (rows === 0) firstRowMs = performance.now() - startedAt;
      rows++;
    });
    return { rows, firstRowMs, allMs: performance.now() - startedAt };
  } finally {
    socket.destroy();
  }
}

/** The codes of a server's messages, in order; their contents are skipped. */
class MessageCodes {
  readonly #socket: Socket;
  #header = Buffer.alloc(0);
  #skip = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  until(last: string, seen: (code: string) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (error: unknown) => {
        this.#socket.removeAllListeners('data').removeAllListeners('error');
        if (error === null) resolve();
        else reject(error);
      };
      this.#socket.once('error', finish);
      this.#socket.on('data', (chunk: Buffer) => {
        try {
          if (this.#read(chunk, (code) => seen(code)) === last) finish(null);
        } catch (error) {
          finish(error);
        }
      });
    });
  }

  /** The code of the last message in the chunk. */
  #read(chunk: Buffer, seen: (code: string) => void): string {
    let last = '';
    let at = Math.min(this.#skip, chunk.length);
    this.#skip -= at;
    while (at < chunk.length) {
      const missing = 5 - this.#header.length;
      this.#header = Buffer.concat([this.#header, chunk.subarray(at, at + missing)]);
      at += missing;
      if (this.#header.length < 5) break;
      last = String.fromCharCode(this.#header[0] ?? 0);
      seen(last);
      const length = this.#header.readInt32BE(1) - 4;
      this.#header = Buffer.alloc(0);
      const skipped = Math.min(length, chunk.length - at);
      at += skipped;
      this.#skip = length - skipped;
    }
    return last;
  }
}
