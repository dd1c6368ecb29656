import { createConnection, type Socket } from 'node:net';
import { serialize } from 'pg-protocol';

export type CopyRequest = {
  readonly text: string;
  /** COPY FROM: the client's data, one CopyData message for each piece. */
  readonly data?: readonly Buffer[];
  /** CopyFail with this reason in place of CopyDone. */
  readonly fail?: string;
  /** Neither CopyDone nor CopyFail follows. */
  readonly never?: boolean;
  readonly protocol?: 'simple' | 'extended';
};

export type CopyAnswer = {
  readonly tag: string | null;
  /** By their letters; null: there was none. */
  readonly error: ReadonlyMap<string, string> | null;
  readonly notices: readonly ReadonlyMap<string, string>[];
  /** The body of CopyInResponse or CopyOutResponse. */
  readonly response: Buffer | null;
  /** What COPY TO has sent. */
  readonly data: Buffer;
  /** ReadyForQuery's, or X when the connection ended. */
  readonly status: string;
};

type Pending = {
  request: CopyRequest;
  tag: string | null;
  error: ReadonlyMap<string, string> | null;
  notices: ReadonlyMap<string, string>[];
  response: Buffer | null;
  data: Buffer[];
  resolve: (answer: CopyAnswer) => void;
};

/** A client that speaks COPY byte by byte, as the test wants it. Trust authentication. */
export class CopyClient {
  readonly socket: Socket;
  readonly #address: { readonly host: string; readonly port: number };
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** How many are needed to go on. */
  #wanted = 5;
  #pending: Pending | null = null;
  #key: Buffer = Buffer.alloc(0);

  private constructor(address: { readonly host: string; readonly port: number }) {
    const socket = createConnection(address.port, address.host);
    this.#address = address;
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.#finish('X'));
  }

  static async connect(options: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
  }): Promise<CopyClient> {
    const client = new CopyClient(options);
    const { user, database } = options;
    const startup = serialize.startup({ user, database });
    const answer = await client.#exchange({ text: '' }, startup);
    if (answer.status !== 'I') throw new Error(`no login: ${answer.error?.get('M')}`);
    return client;
  }

  run(request: CopyRequest): Promise<CopyAnswer> {
    const { text, protocol = 'simple' } = request;
    const first =
      protocol === 'simple'
        ? serialize.query(text)
        : Buffer.concat([
            serialize.parse({ text }),
            serialize.bind(),
            serialize.describe({ type: 'P' }),
            serialize.execute(),
            serialize.sync(),
          ]);
    return this.#exchange(request, first);
  }

  /** Asks for the statement that runs to be cancelled. */
  cancel(): void {
    const request = Buffer.alloc(8 + this.#key.length);
    request.writeInt32BE(request.length, 0);
    request.writeInt32BE(80_877_102, 4);
    this.#key.copy(request, 8);
    const { port, host } = this.#address;
    createConnection(port, host)
      .on('error', () => {})
      .end(request);
  }

  close(): void {
    this.socket.destroy();
  }

  #exchange(request: CopyRequest, first: Buffer): Promise<CopyAnswer> {
    return new Promise((resolve) => {
      this.#pending = {
        request,
        tag: null,
        error: null,
        notices: [],
        response: null,
        data: [],
        resolve,
      };
      this.socket.write(first);
    });
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    // A long message is put together once.
    if (this.#bytes < this.#wanted) return;
    const all = Buffer.concat(this.#chunks);
    let start = 0;
    this.#wanted = 5;
    while (all.length - start >= 5) {
      const length = 1 + all.readUInt32BE(start + 1);
      this.#wanted = length;
      if (start + length > all.length) break;
      const code = String.fromCharCode(all[start] ?? 0);
      this.#message(code, Buffer.from(all.subarray(start + 5, start + length)));
      start += length;
      this.#wanted = 5;
    }
    this.#chunks = [all.subarray(start)];
    this.#bytes = all.length - start;
  }

  #message(code: string, body: Buffer): void {
    const pending = this.#pending;
    if (pending === null) return;
    switch (code) {
      case 'K':
        this.#key = body;
        return;
      case 'G':
        pending.response = body;
        this.#send(pending.request);
        return;
      case 'H':
        pending.response = body;
        return;
      case 'd':
        pending.data.push(body);
        return;
      case 'C':
        pending.tag = body.toString('utf8', 0, body.length - 1);
        return;
      case 'E':
        pending.error = fieldsOf(body);
        return;
      case 'N':
        pending.notices.push(fieldsOf(body));
        return;
      case 'Z':
        this.#finish(body.toString());
        return;
      default:
        return;
    }
  }

  #send({ data = [], fail, never, protocol = 'simple' }: CopyRequest): void {
    for (const piece of data) this.socket.write(serialize.copyData(piece));
    if (never === true) return;
    this.socket.write(fail === undefined ? serialize.copyDone() : serialize.copyFail(fail));
    if (protocol === 'extended') this.socket.write(serialize.sync());
  }

  #finish(status: string): void {
    const pending = this.#pending;
    this.#pending = null;
    if (pending === null) return;
    const { tag, error, notices, response, data, resolve } = pending;
    resolve({ tag, error, notices, response, data: Buffer.concat(data), status });
  }
}

function fieldsOf(body: Buffer): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (let at = 0; at < body.length && body[at] !== 0; ) {
    const end = body.indexOf(0, at + 1);
    fields.set(String.fromCharCode(body[at] ?? 0), body.toString('utf8', at + 1, end));
    at = end + 1;
  }
  return fields;
}
