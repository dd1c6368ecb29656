import { createConnection, type Socket } from 'node:net';
import { serialize } from 'pg-protocol';

/** A value as it travels: a string goes and comes as text, a Buffer as binary, null is NULL. */
export type WireValue = string | Buffer | null;

export type WireRequest =
  | { readonly protocol: 'simple'; readonly text: string }
  | {
      readonly protocol: 'extended';
      readonly text: string;
      /** '' is the unnamed statement. A name seen before on this client is not parsed again. */
      readonly name: string;
      readonly typeOids: readonly number[];
      readonly values: readonly WireValue[];
      readonly binaryResults: boolean;
      /** Rows per Execute; 0 fetches all at once. */
      readonly rowsPerFetch: number;
    };

export type WireColumn = {
  readonly name: string;
  readonly typeOid: number;
  readonly typeSize: number;
  readonly typeModifier: number;
  readonly format: number;
};

export type WireResult = {
  readonly columns: readonly WireColumn[] | null;
  readonly rows: readonly (readonly (Buffer | null)[])[];
  readonly tag: string | null;
};

export type WireError = {
  readonly sqlState: string;
  readonly message: string;
  readonly severity: string;
  readonly fields: ReadonlyMap<string, string>;
};

export type WireAnswer = {
  readonly results: readonly WireResult[];
  readonly error: WireError | null;
  /** ReadyForQuery's I, T or E; X when the connection ended instead. */
  readonly status: string;
};

type Pending = {
  columns: WireColumn[] | null;
  rows: (Buffer | null)[][];
  results: WireResult[];
  error: WireError | null;
  /** More rows are asked for while the portal is suspended. */
  fetchMore: (() => void) | null;
  resolve: (answer: WireAnswer) => void;
};

const defaultAnswerTimeoutMs = 15_000;

/**
 * A client that keeps the bytes: pg's own client turns every value into a string, which hides
 * differences in binary results. One request at a time; trust authentication. Who does not
 * answer in time is left: the answer's status is X then.
 */
export class WireClient {
  readonly #socket: Socket;
  readonly #answerTimeoutMs: number;
  readonly #prepared = new Set<string>();
  #buffer: Buffer = Buffer.alloc(0);
  #pending: Pending | null = null;
  #closed = false;

  private constructor(socket: Socket, answerTimeoutMs: number) {
    this.#socket = socket;
    this.#answerTimeoutMs = answerTimeoutMs;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.#end());
  }

  /** Rejects when the login fails. */
  static async connect(options: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly database: string;
    /** Default 15 s. */
    readonly answerTimeoutMs?: number;
  }): Promise<WireClient> {
    const { host, port, answerTimeoutMs = defaultAnswerTimeoutMs } = options;
    const client = new WireClient(createConnection(port, host), answerTimeoutMs);
    const startup = serialize.startup({ user: options.user, database: options.database });
    const answer = await client.#exchange([startup]);
    if (answer.error !== null) throw new Error(answer.error.message);
    if (answer.status === 'X') throw new Error(`no answer on port ${options.port}`);
    return client;
  }

  async request(request: WireRequest): Promise<WireAnswer> {
    if (request.protocol === 'simple') return this.#exchange([serialize.query(request.text)]);
    const answer = await this.#extended(request);
    if (request.name !== '' && answer.error !== null) {
      // Whether the name exists now depends on where it failed.
      this.#prepared.delete(request.name);
      const close = serialize.close({ type: 'S', name: request.name });
      await this.#exchange([close, serialize.sync()]);
    }
    return answer;
  }

  #extended(request: WireRequest & { readonly protocol: 'extended' }): Promise<WireAnswer> {
    const { name, text, rowsPerFetch } = request;
    const messages: Buffer[] = [];
    if (name === '' || !this.#prepared.has(name)) {
      messages.push(serialize.parse({ name, text, types: [...request.typeOids] }));
      if (name !== '') this.#prepared.add(name);
    }
    const values = [...request.values];
    messages.push(
      serialize.bind({ statement: name, values, binary: request.binaryResults }),
      serialize.describe({ type: 'P' }),
      serialize.execute({ rows: rowsPerFetch }),
    );
    if (rowsPerFetch === 0) return this.#exchange([...messages, serialize.sync()]);
    messages.push(serialize.flush());
    const fetchMore = () =>
      this.#write([serialize.execute({ rows: rowsPerFetch }), serialize.flush()]);
    return this.#exchange(messages, fetchMore);
  }

  /** False when the connection has ended. */
  get alive(): boolean {
    return !this.#closed;
  }

  /** One simple query; throws on an error. Values as text. */
  async query(text: string): Promise<(string | null)[][]> {
    const answer = await this.request({ protocol: 'simple', text });
    if (answer.error !== null) {
      throw new Error(`${answer.error.sqlState} ${answer.error.message}: ${text.slice(0, 500)}`);
    }
    if (answer.status === 'X') throw new Error(`no answer: ${text.slice(0, 500)}`);
    const rows = answer.results.at(-1)?.rows ?? [];
    return rows.map((row) => row.map((value) => value?.toString() ?? null));
  }

  close(): void {
    this.#socket.end(serialize.end());
    this.#socket.destroySoon();
  }

  #exchange(messages: Buffer[], fetchMore: (() => void) | null = null): Promise<WireAnswer> {
    return new Promise((settle) => {
      const timer = setTimeout(() => this.#socket.destroy(), this.#answerTimeoutMs);
      const resolve = (answer: WireAnswer) => {
        clearTimeout(timer);
        settle(answer);
      };
      this.#pending = { columns: null, rows: [], results: [], error: null, fetchMore, resolve };
      if (this.#closed) this.#end();
      else this.#write(messages);
    });
  }

  #write(messages: Buffer[]): void {
    this.#socket.write(Buffer.concat(messages));
  }

  #receive(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    let start = 0;
    while (this.#buffer.length - start >= 5) {
      const end = start + 1 + this.#buffer.readUInt32BE(start + 1);
      if (end > this.#buffer.length) break;
      const code = String.fromCharCode(this.#buffer[start] ?? 0);
      this.#message(code, this.#buffer.subarray(start + 5, end));
      start = end;
    }
    this.#buffer = this.#buffer.subarray(start);
  }

  #message(code: string, body: Buffer): void {
    const pending = this.#pending;
    if (pending === null) return;
    switch (code) {
      case 'T':
        pending.columns = readColumns(body);
        return;
      case 'D':
        pending.rows.push(readRow(body));
        return;
      case 'C':
        this.#finishResult(pending, body.toString('utf8', 0, body.length - 1));
        return;
      case 'I':
        this.#finishResult(pending, null);
        return;
      case 's':
        pending.fetchMore?.();
        return;
      case 'E':
        pending.error = readError(body);
        if (pending.fetchMore !== null) this.#write([serialize.sync()]);
        pending.fetchMore = null;
        return;
      case 'Z':
        this.#pending = null;
        pending.resolve({
          results: pending.results,
          error: pending.error,
          status: body.toString(),
        });
    }
  }

  #finishResult(pending: Pending, tag: string | null): void {
    pending.results.push({ columns: pending.columns, rows: pending.rows, tag });
    pending.columns = null;
    pending.rows = [];
    if (pending.fetchMore !== null) this.#write([serialize.sync()]);
    pending.fetchMore = null;
  }

  #end(): void {
    this.#closed = true;
    const pending = this.#pending;
    this.#pending = null;
    pending?.resolve({ results: pending.results, error: pending.error, status: 'X' });
  }
}

function readColumns(body: Buffer): WireColumn[] {
  const columns: WireColumn[] = [];
  let at = 2;
  for (let count = body.readUInt16BE(0); count > 0; count--) {
    const end = body.indexOf(0, at);
    columns.push({
      name: body.toString('utf8', at, end),
      typeOid: body.readUInt32BE(end + 7),
      typeSize: body.readInt16BE(end + 11),
      typeModifier: body.readInt32BE(end + 13),
      format: body.readInt16BE(end + 17),
    });
    at = end + 19;
  }
  return columns;
}

function readRow(body: Buffer): (Buffer | null)[] {
  const values: (Buffer | null)[] = [];
  let at = 2;
  for (let count = body.readUInt16BE(0); count > 0; count--) {
    const length = body.readInt32BE(at);
    at += 4;
    values.push(length < 0 ? null : Buffer.from(body.subarray(at, at + length)));
    at += Math.max(length, 0);
  }
  return values;
}

function readError(body: Buffer): WireError {
  const fields = new Map<string, string>();
  for (let at = 0; at < body.length && body[at] !== 0; ) {
    const end = body.indexOf(0, at + 1);
    fields.set(String.fromCharCode(body[at] ?? 0), body.toString('utf8', at + 1, end));
    at = end + 1;
  }
  return {
    sqlState: fields.get('C') ?? '',
    message: fields.get('M') ?? '',
    severity: fields.get('V') ?? '',
    fields,
  };
}
