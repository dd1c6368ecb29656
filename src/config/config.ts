import type { Brand } from '../base/brand.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { ShardMap } from '../sharding/shard-map.ts';

/** `host:port` of a PostgreSQL server, as the configuration writes it; unique in it. */
export type NodeId = Brand<string, 'NodeId'>;

export type NodeAddress = {
  readonly id: NodeId;
  readonly host: string;
  readonly port: number;
  readonly shard: ShardId;
};

/** A role that clients log in as. The same role, or `serverUser`, is used towards the servers. */
export type User = {
  readonly name: string;
  /** `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`; null: may not log in by password. */
  readonly verifier: string | null;
  readonly serverUser: string;
  /** For the login on the servers; null where the servers ask for none. */
  readonly serverPassword: string | null;
  /** May use the admin console's commands that change something. */
  readonly admin: boolean;
};

export type Limits = {
  /** Client connections over all workers; one more gets 53300. */
  readonly clientsMax: number;
  /** Server connections per node over all workers. */
  readonly serverConnectionsMax: number;
  /** Of these, how many sessions may keep to themselves; of each worker's part one is left to all. */
  readonly reservedConnectionsMax: number;
  /** Statements that may wait in one shared server connection, the running one included. */
  readonly pipelineDepthMax: number;
  /** Bytes of one frontend message; larger gets 08P01 and a closed connection. */
  readonly messageBytesMax: number;
  /** How long a statement waits for a server connection before 57014... 53300. */
  readonly acquireTimeoutMs: number;
  /** How long a statement waits for a primary before 57P03. */
  readonly holdMaxMs: number;
  /** From accept to a finished login. */
  readonly loginTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** How long a drain waits for transactions to finish. */
  readonly drainTimeoutMs: number;
  readonly serverIdleTimeoutMs: number;
  /** Bytes that a sort or merge over shards may hold in memory for one statement. */
  readonly mergeBytesMax: number;
  /** Bytes of all intermediate results that are gathered for one statement. */
  readonly gatherBytesMax: number;
  /** Unsent result bytes of one client after which reading from its server stops. */
  readonly clientBufferBytes: number;
  /** Entries of the statement and plan caches, per worker. */
  readonly planCacheEntries: number;
  readonly preparedStatementsPerServerMax: number;
};

export type Failover = {
  readonly enabled: boolean;
  /** `sync`: commits wait while there is a standby. `strict`: always. `async`: never. */
  readonly durability: 'sync' | 'strict' | 'async';
  /** How many standbys each commit waits for. */
  readonly synchronousStandbys: number;
  readonly probeIntervalMs: number;
  readonly heartbeatIntervalMs: number;
  readonly suspectAfterMs: number;
  readonly hangMs: number;
  readonly partitionMs: number;
  readonly restartGraceMs: number;
  readonly degradeAfterMs: number;
  readonly promoteTimeoutMs: number;
  readonly cooldownMs: number;
  /** A transaction that wrote learns its ID before COMMIT, so that a lost answer can be found out. */
  readonly resolvesCommits: boolean;
  /** Async: a standby that lacks more is not promoted by itself. */
  readonly lagBytesMax: number;
  /** Directory of the durable cluster record. */
  readonly stateDirectory: string;
  readonly hooks: FailoverHooks;
};

/** Programs of the operator; null: none. */
export type FailoverHooks = {
  readonly fence: Hook | null;
  /** Nobody is promoted until the old primary is fenced. */
  readonly fenceRequired: boolean;
  readonly rejoin: Hook | null;
  readonly notify: Hook | null;
};

export type Hook = { readonly file: string; readonly timeoutMs: number };

/** A validated configuration: frozen, replaced as a whole. */
export type Config = {
  /** Database name, for clients and on the servers. */
  readonly database: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly admin: { readonly host: string; readonly port: number };
  /** 0: all in one process. */
  readonly workers: number;
  readonly shardMap: ShardMap;
  /** In file order per shard. Roles are found at run time. */
  readonly nodes: ReadonlyMap<ShardId, readonly NodeAddress[]>;
  /** Of no shard: they run queries over rows that come with them. `shard` is their combineIdOf. */
  readonly combineNodes: readonly NodeAddress[];
  /** Shards whose primary somebody else chooses. */
  readonly externalShards: ReadonlySet<ShardId>;
  readonly authentication: 'scram-sha-256' | 'trust';
  readonly users: ReadonlyMap<string, User>;
  /** The role that probes, reads the catalogue and promotes. */
  readonly controlUser: { readonly name: string; readonly password: string | null };
  readonly allowCleartextToServers: boolean;
  readonly tls: { readonly certificateFile: string; readonly keyFile: string } | null;
  readonly limits: Limits;
  readonly failover: Failover;
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' };
};

/** One mistake: where it is, what is wrong, how to mend it. Lines and columns count from 1. */
export type ConfigMistake = {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly remedy: string;
};
