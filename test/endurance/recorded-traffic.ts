import { connect, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Client } from 'pg';
import { serialize } from 'pg-protocol';
import { sleep } from '../../src/base/clock.ts';
import { listen } from '../../src/base/listen.ts';
import { CopyClient } from '../support/copy-client.ts';
import { RawClient, startupPacket } from '../support/raw-client.ts';
import type { EnduranceWorld } from './endurance-world.ts';
import { LoadClient } from './load-client.ts';

/** What one client sent: its packets before the login and its messages after it, one by one. */
export type Recording = { readonly name: string; readonly messages: readonly Buffer[] };

/** Real clients at work, overheard on their way to pgweave. */
export async function recordTraffic(world: EnduranceWorld): Promise<readonly Recording[]> {
  const recordings: Recording[] = [];
  for (const [name, work] of Object.entries(works)) {
    if (name.includes('TLS') && !world.hasTls) continue;
    const tap = await Tap.start(world.served.port);
    try {
      await work(tap.port);
    } finally {
      await tap.stop();
    }
    recordings.push({ name, messages: messagesOf(name, tap.bytes) });
  }
  return recordings;
}

type Work = (port: number) => Promise<void>;

async function withClient(port: number, work: (client: Client) => Promise<unknown>): Promise<void> {
  const client = new Client({ host: '127.0.0.1', port, user: 'stray', database: 'app' });
  client.on('error', () => {});
  await client.connect();
  await work(client);
  await client.end();
}

const works: { readonly [name: string]: Work } = {
  'simple queries': (port) =>
    withClient(port, async (client) => {
      await client.query('select note from stray where id = 3');
      await client.query("insert into stray values (5000, 'x'); delete from stray where id = 5000");
      await client.query('select count(*), min(id) from stray');
      await client.query('select note from stray order by id desc limit 3');
      await client.query(
        'begin; update stray set note = note where id = 7; savepoint s; rollback to s',
      );
      await client.query('commit');
      await client.query("set application_name to 'stray'; select 1; reset application_name");
      await client.query('select 1/0').catch(() => {});
    }),
  'prepared statements': (port) =>
    withClient(port, async (client) => {
      await client.query('select note from stray where id = $1', [4]);
      for (const id of [1, 1_000_001]) {
        await client.query({
          name: 'by_id',
          text: 'select * from stray where id = $1',
          values: [id],
        });
      }
      await client.query({
        text: 'select id from stray where id = any($1::int[])',
        values: [[1, 2]],
      });
      await client.query(
        'prepare two(int) as select note from stray where id = $1; execute two(2)',
      );
      await client.query('deallocate all');
    }),
  'a pipeline': async (port) => {
    const client = await LoadClient.connect({ port, user: 'stray', password: '', database: 'app' });
    const steps = [1, 2, 1_000_003].flatMap((id) => [
      serialize.parse({
        name: `s${id}`,
        text: 'select note from stray where id = $1',
        types: [23],
      }),
      serialize.bind({ portal: `p${id}`, statement: `s${id}`, values: [String(id)] }),
      serialize.describe({ type: 'P', name: `p${id}` }),
      serialize.execute({ portal: `p${id}`, rows: 1 }),
      serialize.close({ type: 'P', name: `p${id}` }),
    ]);
    client.write(Buffer.concat([...steps, serialize.flush(), serialize.sync()]));
    await sleep(100);
    await client.end();
  },
  cursors: (port) =>
    withClient(port, async (client) => {
      await client.query('begin');
      await client.query('declare c cursor for select id from stray order by id');
      await client.query('fetch 3 from c');
      await client.query('declare d cursor for select id from stray where id = 1');
      await client.query('fetch all from d; close c');
      await client.query('rollback');
    }),
  'COPY in': (port) =>
    copying(port, (client) =>
      client.run({
        text: 'copy stray from stdin',
        data: [Buffer.from('9001\tx\n9002'), Buffer.from('\ty\n1009003\t\\N\n')],
        fail: 'no more',
      }),
    ),
  'COPY in CSV': (port) =>
    copying(port, async (client) => {
      const text = 'copy stray from stdin (format csv, header)';
      await client.run({
        text,
        data: [Buffer.from('id,note\n9010,"a ""b"""\n')],
        protocol: 'extended',
      });
      await client.run({ text: 'delete from stray where id = 9010' });
    }),
  'COPY out': (port) =>
    copying(port, async (client) => {
      await client.run({ text: 'copy (select * from stray where id < 20) to stdout' });
      await client.run({ text: 'copy stray to stdout (format binary)' });
    }),
  notifications: (port) =>
    withClient(port, async (client) => {
      await client.query('listen news');
      await client.query("notify news, 'hello'");
      await client.query('unlisten *');
    }),
  'a SCRAM login': async (port) => {
    const client = await LoadClient.connect({
      port,
      user: 'app',
      password: 'app',
      database: 'app',
    });
    await client.query('select 1');
    await client.end();
  },
  'a login of protocol 3.2': async (port) => {
    const client = await RawClient.connect(port);
    const parameters = {
      user: 'stray',
      database: 'app',
      options: '-c work_mem=5MB',
      '_pq_.odd': 'x',
    };
    client.socket.write(startupPacket(parameters, 5));
    await sleep(100);
    client.socket.end(serialize.end());
    await sleep(20);
  },
  'a cancel request': async (port) => {
    const client = await RawClient.connect(port);
    client.socket.write(serialize.cancel(7, 12345));
    await sleep(50);
    client.close();
  },
  'the admin console': async (port) => {
    const target = { port, user: 'app', password: 'app', database: 'pgweave' };
    const client = await LoadClient.connect(target);
    await client.query('show clients');
    await client.query('show shards;');
    await client.end();
  },
  'TLS asked for': (port) =>
    withTls(port, async (socket) => {
      socket.write(serialize.requestSsl());
      await new Promise((resolve) => socket.once('data', resolve));
    }),
  'TLS at once': (port) => withTls(port, async () => {}),
};

async function copying(
  port: number,
  work: (client: CopyClient) => Promise<unknown>,
): Promise<void> {
  const client = await CopyClient.connect({
    host: '127.0.0.1',
    port,
    user: 'stray',
    database: 'app',
  });
  await work(client);
  client.close();
}

async function withTls(port: number, before: (socket: Socket) => Promise<void>): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  await before(socket);
  const secure = connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: ['postgresql'] });
  secure.on('error', () => {});
  await new Promise((resolve) => secure.once('secureConnect', resolve));
  secure.write(startupPacket({ user: 'stray', database: 'app' }));
  await sleep(50);
  secure.destroy();
}

/** Passes everything on, and remembers what the client sent. */
class Tap {
  readonly port: number;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Socket>();
  readonly #chunks: Buffer[] = [];

  private constructor(server: ReturnType<typeof createServer>, port: number, target: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (client) => this.#accept(client, target));
  }

  static async start(target: number): Promise<Tap> {
    const server = createServer({ noDelay: true });
    const port = await listen(server, { host: '127.0.0.1', port: 0, purpose: 'a tap' });
    return new Tap(server, port, target);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket, target: number): void {
    const server = connect(target, '127.0.0.1');
    client.on('data', (chunk) => {
      this.#chunks.push(chunk);
      server.write(chunk);
    });
    server.on('data', (chunk) => client.write(chunk));
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => other.destroy());
    }
  }
}

/** TLS is one piece; elsewhere the first packet has no code before its length. */
function messagesOf(name: string, bytes: Buffer): readonly Buffer[] {
  if (name.includes('TLS')) return [bytes];
  const messages: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lengthAt = at === 0 ? at : at + 1;
    const end = lengthAt + bytes.readInt32BE(lengthAt);
    messages.push(bytes.subarray(at, end));
    at = end;
  }
  return messages;
}
