import { createServer, type Server, type Socket } from 'node:net';
import type { NodeAddress, NodeId } from '../../src/config/config.ts';
import { encodeAuthenticationOk } from '../../src/protocol/authentication.ts';
import { type CancelKey, encodeBackendKeyData } from '../../src/protocol/backend-key-data.ts';
import { encodeCommandComplete } from '../../src/protocol/command-complete.ts';
import { encodeDataRow } from '../../src/protocol/data-row.ts';
import { FrameReader } from '../../src/protocol/frame-reader.ts';
import { FrontendCode } from '../../src/protocol/message-code.ts';
import { encodeParameterStatus } from '../../src/protocol/parameter-status.ts';
import { decodeQuery } from '../../src/protocol/query-message.ts';
import { readyForQuery } from '../../src/protocol/ready-for-query.ts';
import { decodeStartupPacket, startupPacketLength } from '../../src/protocol/startup-packet.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';

export type FakeSession = {
  readonly socket: Socket;
  readonly number: number;
  readonly parameters: ReadonlyMap<string, string>;
  /** The text of each Query so far. */
  readonly queries: string[];
  /** The queries of each chunk that arrived. */
  readonly reads: string[][];
};

export type FakeScript = {
  /** Default: accepts everybody, with a cancel key whose backendId is the session's number. */
  onStartup?(session: FakeSession): void;
  /** Any message after the login but Query and Terminate. */
  onMessage?(session: FakeSession, frame: Buffer): void;
  /** Default: one row with the text itself. */
  onQuery?(session: FakeSession, sql: string): void;
  onCancel?(key: CancelKey, close: () => void): void;
};

/** A server that speaks the protocol on a real socket, and says what the test wants. */
export class FakeServer {
  readonly node: NodeAddress;
  readonly sessions: FakeSession[] = [];
  readonly cancels: CancelKey[] = [];
  script: FakeScript;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, script: FakeScript) {
    this.#server = server;
    this.script = script;
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    this.node = {
      id: `127.0.0.1:${address.port}` as NodeId,
      host: '127.0.0.1',
      port: address.port,
      shard: 'a' as ShardId,
    };
    server.on('connection', (socket) => this.#accept(socket));
  }

  static async start(script: FakeScript = {}): Promise<FakeServer> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new FakeServer(server, script);
  }

  /** Sessions whose socket is open. */
  get open(): FakeSession[] {
    return this.sessions.filter(({ socket }) => !socket.destroyed);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    let startup = Buffer.alloc(0);
    const onStartup = (chunk: Buffer): void => {
      startup = Buffer.concat([startup, chunk]);
      const length = startupPacketLength(startup);
      if (length === null || startup.length < length) return;
      socket.off('data', onStartup);
      this.#start(socket, startup.subarray(0, length));
    };
    socket.on('data', onStartup);
  }

  #start(socket: Socket, bytes: Buffer): void {
    const packet = decodeStartupPacket(bytes);
    if (packet.kind === 'cancel-request') {
      this.cancels.push(packet.key);
      const close = (): void => void socket.end();
      if (this.script.onCancel) this.script.onCancel(packet.key, close);
      else close();
      return;
    }
    if (packet.kind !== 'startup') throw new Error(`unexpected ${packet.kind}`);
    const session: FakeSession = {
      socket,
      number: this.sessions.length + 1,
      parameters: packet.parameters,
      queries: [],
      reads: [],
    };
    this.sessions.push(session);
    this.#serve(session);
    if (this.script.onStartup) this.script.onStartup(session);
    else acceptLogin(session);
  }

  #serve(session: FakeSession): void {
    const reader = new FrameReader({ frameBytesMax: 100_000_000 });
    session.socket.on('data', (chunk: Buffer) => {
      session.reads.push([]);
      reader.push(chunk);
      while (reader.next()) {
        this.#take(session, reader.code, reader.chunk.subarray(reader.start, reader.end));
      }
    });
  }

  #take(session: FakeSession, code: number, frame: Buffer): void {
    if (code === FrontendCode.terminate) session.socket.end();
    else if (code === FrontendCode.query) {
      const sql = decodeQuery(frame, 0, frame.length);
      session.queries.push(sql);
      session.reads.at(-1)?.push(sql);
      if (this.script.onQuery) this.script.onQuery(session, sql);
      else answerQuery(session, sql);
    } else this.script.onMessage?.(session, Buffer.from(frame));
  }
}

export function acceptLogin(session: FakeSession): void {
  session.socket.write(
    Buffer.concat([
      encodeAuthenticationOk(),
      encodeParameterStatus('server_version', '18.0'),
      encodeBackendKeyData({ backendId: session.number, secret: Buffer.from([1, 2, 3, 4]) }),
      readyForQuery.idle,
    ]),
  );
}

/** One row with the text, and the status that BEGIN and COMMIT would lead to. */
export function answerQuery(session: FakeSession, sql: string): void {
  const status = /^begin/i.test(sql) ? 'in-transaction' : 'idle';
  session.socket.write(
    Buffer.concat([encodeDataRow([sql]), encodeCommandComplete('SELECT 1'), readyForQuery[status]]),
  );
}
