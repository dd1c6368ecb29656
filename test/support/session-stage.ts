import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionPool } from '../../src/backend/connection-pool.ts';
import { noServerTls } from '../../src/backend/server-tls.ts';
import { systemClock } from '../../src/base/clock.ts';
import { PgError } from '../../src/base/pg-error.ts';
import { silentTelemetry } from '../../src/base/telemetry.ts';
import { PooledShardServers } from '../../src/cluster/pooled-shard-servers.ts';
import { GlobalIds } from '../../src/cluster/transactions/global-id.ts';
import type { TransactionOutcome } from '../../src/cluster/transactions/transaction-outcome.ts';
import type { Config, Limits, NodeAddress, User } from '../../src/config/config.ts';
import type { ExecutorWorld } from '../../src/executor/executor-world.ts';
import { openMultiShardSelect } from '../../src/executor/select/open-multi-shard-select.ts';
import { SharedPlanningSettings } from '../../src/executor/session/planning-settings.ts';
import { StatementPlanner } from '../../src/executor/statement-planner.ts';
import { accountsOf } from '../../src/frontend/accounts.ts';
import { ClientGate, type GateWorld } from '../../src/frontend/client-gate.ts';
import { FailedLogins } from '../../src/frontend/failed-logins.ts';
import { encodeCancelRequest } from '../../src/protocol/startup-packet.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import { configFixture } from './config-fixture.ts';
import { demoMap, demoSchema, demoShards } from './demo-schema.ts';
import { startupPacket } from './raw-client.ts';
import { ScriptedShard } from './scripted-shard.ts';
import { encodeClientMessage, serverMessageText, splitMessages } from './wire-text.ts';

export type TraceEvent = {
  /** `client`, or `e_o` and from its second connection on `e_o#2`. */
  readonly actor: string;
  readonly arrow: '>' | '<';
  readonly text: string;
};

export type StageClient = {
  readonly socket: Socket;
  readonly key: { backendId: number; secret: Buffer };
};

const app: User = {
  name: 'app',
  verifier: null,
  md5Hash: null,
  serverUser: 'app',
  serverSecret: { kind: 'none' },
  admin: true,
  stats: true,
  safeWrites: null,
};

/**
 * A worker's whole stack from client socket to server socket, in this process, on the demo's
 * schema and map, with scripted servers; what client and servers see is noted in `events`.
 */
export class SessionStage {
  readonly shards: readonly ScriptedShard[];
  readonly gate: ClientGate;
  readonly servers: PooledShardServers;
  readonly world: GateWorld;
  readonly clients = new Map<string, StageClient>();
  events: TraceEvent[] = [];
  /** There are too many clients. */
  refusing = false;
  readonly forwardedCancels: number[] = [];
  /** What recovery finds out about any transaction. */
  recovered: TransactionOutcome | null = null;
  readonly #listener: Server;

  private constructor(shards: readonly ScriptedShard[], config: Config, listener: Server) {
    this.shards = shards;
    this.#listener = listener;
    const nodes = new Map(config.nodes);
    this.servers = new PooledShardServers({
      clock: systemClock,
      nodes,
      limits: config.limits,
      createPool: (node) =>
        new ConnectionPool({
          node,
          database: config.database,
          connectionsMax: config.limits.serverConnectionsMax,
          limits: config.limits,
          allowCleartext: false,
          identity: null,
          tls: () => noServerTls,
          clock: systemClock,
          telemetry: silentTelemetry,
          types: () => null,
          onNodeTrouble() {},
        }),
    });
    this.servers.update(
      [...nodes].map(([shard, [node]]) => ({
        shard,
        epoch: 1,
        primary: node?.id ?? null,
        heir: null,
        standbys: [],
        identity: null,
        reason: '',
      })),
    );
    const executor: ExecutorWorld = {
      // Every run takes no time: it never depends on the machine what is kept and shared.
      clock: { ...systemClock, now: () => 0 },
      telemetry: silentTelemetry,
      servers: this.servers,
      planner: new StatementPlanner({
        shardMap: config.shardMap,
        schema: demoSchema(),
        cacheEntries: 100,
      }),
      planningSettings: new SharedPlanningSettings(),
      openMultiShardSelect,
      limits: config.limits,
      resolvesCommits: false,
      resolvesWrites: false,
      safeWrites: false,
      catalogue: {
        version: 1,
        defaultCollation: 'linguistic',
        relations: [],
        functions: [],
        leftovers: { names: [], settings: [] },
        misplaced: [],
        combineNodes: [],
        types: [],
      },
      schemaChanged: async () => {
        this.events.push({ actor: 'catalogue', arrow: '<', text: 'read again' });
      },
      globalIds: new GlobalIds('0123456789abcdef'),
      settleTransaction: async (id, shards) => {
        const text = `settle ${id} on ${shards.join(', ')}`;
        this.events.push({ actor: 'recovery', arrow: '>', text });
        return this.recovered;
      },
      askAboutCommit: async ({ shard, xid }) => {
        const text =
          xid === null ? `is it replicated on ${shard}` : `what became of ${xid} on ${shard}`;
        this.events.push({ actor: 'resolution', arrow: '>', text });
        return this.recovered;
      },
    };
    this.world = {
      executor,
      console: {
        execute: async (sql) => {
          if (!/^show/i.test(sql)) throw new PgError('42601', 'unknown command');
          return { columns: ['shard'], rows: [['a_d']], tag: 'SHOW', notice: null };
        },
      },
      workerIndex: 0,
      config,
      tls: null,
      accounts: accountsOf([config.users], null),
      failedLogins: new FailedLogins(systemClock, () => {}),
      admission: { take: (_client, _places, answered) => answered(null), leave: () => {} },
      mockSecret: Buffer.from('the same on each run'),
      forwardCancel: (key) => this.forwardedCancels.push(key.backendId),
    };
    this.gate = new ClientGate(this.world);
    listener.on('connection', (socket) => this.gate.accept(socket, this.refusing));
  }

  static async start(changes: Partial<Config> = {}, limits: Partial<Limits> = {}) {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    let stage: SessionStage | null = null;
    const shards = await Promise.all(
      demoShards.map((name) =>
        ScriptedShard.start(name, (session, arrow, text) => {
          const actor = session === 1 ? name : `${name}#${session}`;
          stage?.events.push({ actor, arrow, text });
        }),
      ),
    );
    const fixture = configFixture();
    const nodes = new Map<ShardId, readonly NodeAddress[]>(
      demoShards.map((shard, index) => {
        const node = shards[index]?.server.node;
        if (node === undefined) throw new Error('a server is missing');
        return [shard, [{ ...node, shard }]];
      }),
    );
    const config = configFixture({
      shardMap: demoMap,
      nodes,
      users: new Map([['app', app]]),
      limits: { ...fixture.limits, ...limits },
      ...changes,
    });
    stage = new SessionStage(shards, config, listener);
    return stage;
  }

  get port(): number {
    const address = this.#listener.address();
    if (address === null || typeof address === 'string') throw new Error('not listening');
    return address.port;
  }

  shard(name: string): ScriptedShard | undefined {
    return this.shards.find((shard) => shard.name === name);
  }

  /** The shard has no primary until further notice. */
  losePrimary(shard: string): void {
    const state = this.servers.state(shard as ShardId);
    this.servers.update([{ ...state, epoch: 2, primary: null, reason: 'promoting' }]);
  }

  /** Connects and sends the startup packet; what is answered is noted. */
  connect(name: string, parameters: { readonly [name: string]: string }): StageClient {
    const socket = createConnection(this.port, '127.0.0.1');
    const client: StageClient = { socket, key: { backendId: 0, secret: Buffer.alloc(0) } };
    this.clients.set(name, client);
    socket.setNoDelay(true);
    socket.write(startupPacket({ user: 'app', database: 'shop', ...parameters }));
    let rest: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 5 && rest.length > rest.readInt32BE(1)) {
        const end = 1 + rest.readInt32BE(1);
        const frame = rest.subarray(0, end);
        rest = rest.subarray(end);
        if (frame[0] === 0x4b) {
          client.key.backendId = frame.readInt32BE(5);
          client.key.secret = Buffer.from(frame.subarray(9));
        }
        this.events.push({ actor: name, arrow: '<', text: serverMessageText(frame) });
      }
    });
    socket.on('error', () => {});
    socket.on('end', () => this.events.push({ actor: name, arrow: '<', text: 'closed' }));
    return client;
  }

  /** Logged in, and nothing of it noted. */
  async login(name: string): Promise<StageClient> {
    const client = this.connect(name, {});
    await this.settle((events) => events.some(({ text }) => text.startsWith('ReadyForQuery')));
    this.events = [];
    return client;
  }

  send(name: string, line: string): void {
    const client = this.clients.get(name);
    if (client === undefined) throw new Error(`no client ${name}`);
    client.socket.write(Buffer.concat(splitMessages(line).map(encodeClientMessage)));
  }

  cancel(name: string): void {
    const client = this.clients.get(name);
    if (client === undefined) throw new Error(`no client ${name}`);
    const socket = createConnection(this.port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(encodeCancelRequest(client.key));
    socket.resume();
  }

  /** Waits until `isComplete`, 2 s at most, and then until nothing has happened for a while. */
  async settle(isComplete: (events: readonly TraceEvent[]) => boolean, quietMs = 4): Promise<void> {
    const deadline = performance.now() + 2000;
    while (!isComplete(this.events) && performance.now() < deadline) await sleep(1);
    for (let seen = -1; seen !== this.events.length; ) {
      seen = this.events.length;
      await sleep(quietMs);
    }
  }

  async stop(): Promise<void> {
    for (const { socket } of this.clients.values()) socket.destroy();
    await new Promise((resolve) => this.#listener.close(resolve));
    this.servers.close();
    for (const { server } of this.shards) await server.stop();
  }
}
