import type {
  Admin,
  Config,
  NodeAddress,
  NodeId,
  ServerEncryption,
} from '../../src/config/config.ts';
import type { HbaRule } from '../../src/config/hba.ts';
import { buildShardMap } from '../../src/sharding/build-shard-map.ts';
import type { Key } from '../../src/sharding/distribution.ts';
import type { ShardId } from '../../src/sharding/shard-id.ts';
import { failoverFixture } from './failover-fixture.ts';

export const firstShard = 'a_m' as ShardId;
export const secondShard = 'n_z' as ShardId;

export function node(shard: ShardId, port: number): NodeAddress {
  return { id: `127.0.0.1:${port}` as NodeId, host: '127.0.0.1', port, shard };
}

export const unencrypted: ServerEncryption = {
  mode: 'disable',
  rootCertificate: null,
  certificateFile: null,
  keyFile: null,
  crlFile: null,
};

/** Any free port, open to everybody on this machine. */
export const localAdmin: Admin = {
  host: '127.0.0.1',
  port: 0,
  bearerToken: null,
  basic: null,
  adminUsers: [],
  statsUsers: [],
};

/** Everybody on this machine may be anybody. */
export const trustLoopback: HbaRule = {
  type: 'host',
  databases: 'all',
  users: 'all',
  addresses: 'all',
  method: 'trust',
  clientCertificate: 'none',
  certificateName: 'CN',
  identMap: null,
};

const middle: Key = { kind: 'bytes', bytes: Buffer.from('N') };

/** Two shards by ranges, a pair of servers each; one process, free ports, short waits. */
export function configFixture(changes: Partial<Config> = {}): Config {
  return {
    database: 'shop',
    listen: { host: '127.0.0.1', port: 0 },
    admin: localAdmin,
    workers: 0,
    shardMap: buildShardMap({
      version: 1,
      shards: [firstShard, secondShard],
      home: firstShard,
      distributions: [
        {
          name: 'customers',
          keyType: 'text',
          fold: true,
          placement: {
            method: 'ranges',
            ranges: [
              { from: null, to: middle, shard: firstShard },
              { from: middle, to: null, shard: secondShard },
            ],
          },
        },
      ],
      tables: [
        { kind: 'distributed', table: 'public.customer', distribution: 'customers', key: 'id' },
        { kind: 'reference', table: 'public.item' },
      ],
    }),
    externalShards: new Set(),
    combineNodes: [],
    nodes: new Map([
      [firstShard, [node(firstShard, 5433), node(firstShard, 5434)]],
      [secondShard, [node(secondShard, 5435), node(secondShard, 5436)]],
    ]),
    hba: [trustLoopback],
    users: new Map([
      [
        'app',
        {
          name: 'app',
          verifier: 'SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy',
          md5Hash: null,
          serverUser: 'app',
          serverSecret: { kind: 'password', password: 'hunter2' },
          admin: false,
          stats: false,
          safeWrites: null,
        },
      ],
    ]),
    controlUser: { name: 'pgweave', password: 'hunter3' },
    allowCleartextToServers: false,
    serverEncryption: unencrypted,
    usersFile: null,
    authQuery: null,
    allowMd5: false,
    tls: null,
    limits: {
      clientsMax: 100,
      clientsPerUserMax: null,
      clientsPerDatabaseMax: null,
      clientsPerAddressMax: null,
      serverConnectionsMax: 20,
      reservedConnectionsMax: 20,
      pipelineDepthMax: 16,
      messageBytesMax: 64 * 1024 * 1024,
      acquireTimeoutMs: 10_000,
      holdMaxMs: 10_000,
      loginTimeoutMs: 60_000,
      connectTimeoutMs: 3_000,
      drainTimeoutMs: 300,
      serverIdleTimeoutMs: 600_000,
      mergeBytesMax: 64 * 1024 * 1024,
      gatherBytesMax: 64 * 1024 * 1024,
      clientBufferBytes: 1024 * 1024,
      sessionBytesMax: 64 * 1024 * 1024,
      planCacheEntries: 4096,
      preparedStatementsPerServerMax: 500,
    },
    failover: failoverFixture,
    safeWrites: false,
    driftIntervalMs: 300_000,
    log: { level: 'info' },
    ...changes,
  };
}
