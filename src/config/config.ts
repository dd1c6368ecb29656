import type { Brand } from '../base/brand.ts';
import type { ScramKeys } from '../protocol/scram-verifier.ts';
import type { ShardId } from '../sharding/shard-id.ts';
import type { ShardMap } from '../sharding/shard-map.ts';
import type { HbaRule } from './hba.ts';

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
  /** `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`; null: cannot log in by SCRAM. */
  readonly verifier: string | null;
  /** `md5` and 32 hexadecimal digits; null: cannot log in by md5. */
  readonly md5Hash: string | null;
  readonly serverUser: string;
  /** What pgweave proves to the servers. */
  readonly serverSecret: ServerSecret;
  /** May use the admin console's commands that change something. */
  readonly admin: boolean;
  /** May look at the admin console's tables. */
  readonly stats: boolean;
  /** null: as for everybody. */
  readonly safeWrites: boolean | null;
};

/** `keys` are those that the client's own login has shown. */
export type ServerSecret =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'md5'; readonly hash: string }
  | { readonly kind: 'keys'; readonly keys: ScramKeys };

export type Limits = {
  /** Client connections over all workers; one more gets 53300. */
  readonly clientsMax: number;
  /** Of one user, to one database, from one address, over all workers; null: no limit. */
  readonly clientsPerUserMax: number | null;
  readonly clientsPerDatabaseMax: number | null;
  readonly clientsPerAddressMax: number | null;
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
  /** Bytes of one session's prepared statements and portals, and of its transaction's savepoints. */
  readonly sessionBytesMax: number;
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
  /** The same for a write outside of blocks, which becomes a block of its own for that. */
  readonly resolvesWrites: boolean;
  /** Async: a standby that lacks more is not promoted by itself. */
  readonly lagBytesMax: number;
  /** What may be off on servers without an alarm. */
  readonly acceptsOff: readonly CrashSetting[];
  /** Directory of the durable cluster record. */
  readonly stateDirectory: string;
  readonly hooks: FailoverHooks;
};

/** Without these a crash of a server's machine loses commits, or leaves halves of pages. */
export const crashSettings = ['fsync', 'full_page_writes'] as const;
export type CrashSetting = (typeof crashSettings)[number];

/** Programs of the operator; null: none. */
export type FailoverHooks = {
  readonly fence: Hook | null;
  /** Nobody is promoted until the old primary is fenced. */
  readonly fenceRequired: boolean;
  readonly rejoin: Hook | null;
  readonly notify: Hook | null;
};

export type Hook = { readonly file: string; readonly timeoutMs: number };

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** Of connections to servers; the words are libpq's. */
export type ServerEncryption = {
  readonly mode: SslMode;
  /** Null: none. Never null with a mode that verifies. */
  readonly rootCertificate:
    | { readonly kind: 'file'; readonly file: string }
    | { readonly kind: 'system' }
    | null;
  /** Our own, for servers that ask for one. */
  readonly certificateFile: string | null;
  readonly keyFile: string | null;
  readonly crlFile: string | null;
};

/** Encryption of clients' connections. */
export type ClientTls = {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Of the authorities that sign certificates of clients; null: none are asked for. */
  readonly caFile: string | null;
  readonly crlFile: string | null;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
};

/** The HTTP address; who may see its pages, and who may use the admin console. */
export type Admin = {
  readonly host: string;
  readonly port: number;
  /** Null: not asked for. With both, either is enough. */
  readonly bearerToken: string | null;
  readonly basic: { readonly user: string; readonly password: string } | null;
  /** Have the right `admin`, or `stats`, wherever the user is written. */
  readonly adminUsers: readonly string[];
  readonly statsUsers: readonly string[];
};

/** Asks the home shard for users that are written nowhere else. */
export type AuthQuery = {
  readonly user: string;
  readonly password: string | null;
  /** With `$1` for the name; answers the name and the stored password. */
  readonly query: string;
  /** How long an answer is remembered. */
  readonly cacheMs: number;
};

/** A validated configuration: frozen, replaced as a whole. */
export type Config = {
  /** Database name, for clients and on the servers. */
  readonly database: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly admin: Admin;
  /** 0: all in one process. */
  readonly workers: number;
  readonly shardMap: ShardMap;
  /** In file order per shard. Roles are found at run time. */
  readonly nodes: ReadonlyMap<ShardId, readonly NodeAddress[]>;
  /** Of no shard: they run queries over rows that come with them. `shard` is their combineIdOf. */
  readonly combineNodes: readonly NodeAddress[];
  /** Shards whose primary somebody else chooses. */
  readonly externalShards: ReadonlySet<ShardId>;
  /** In file order; who fits none of them is refused. */
  readonly hba: readonly HbaRule[];
  readonly users: ReadonlyMap<string, User>;
  /** In PgBouncer's format; null: none. Users of the configuration come first. */
  readonly usersFile: string | null;
  readonly authQuery: AuthQuery | null;
  readonly allowMd5: boolean;
  /** The role that probes, reads the catalogue and promotes. */
  readonly controlUser: { readonly name: string; readonly password: string | null };
  readonly allowCleartextToServers: boolean;
  readonly serverEncryption: ServerEncryption;
  /** Null: connections of clients are not encrypted. */
  readonly tls: ClientTls | null;
  readonly limits: Limits;
  readonly failover: Failover;
  /** UPDATE and DELETE of all rows of all shards are refused, unless the session wants them. */
  readonly safeWrites: boolean;
  /** How often the shards' schemas are compared. */
  readonly driftIntervalMs: number;
  readonly log: { readonly level: 'debug' | 'info' | 'warn' | 'error' };
};

/** One mistake: where it is, what is wrong, how to mend it. Lines and columns count from 1. */
export type ConfigMistake = {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly remedy: string;
};
