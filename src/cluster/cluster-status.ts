import type { NodeId } from '../config/config.ts';
import type { ShardId } from '../sharding/shard-id.ts';

/** What an operator sees of one server: SHOW NODES and the node gauges. */
export type NodeStatus = {
  readonly shard: ShardId;
  readonly node: NodeId;
  /** `quarantined`: writable but not of the shard's epoch; never routed to. */
  readonly role: 'primary' | 'standby' | 'quarantined' | 'unknown';
  /** In the machine's words, lower case: `up`, `suspect`, `down`, `starting` ... */
  readonly state: string;
  /** Replay behind the primary's last known LSN; null for a primary and when not known. */
  readonly lagBytes: number | null;
  readonly epoch: number | null;
  /** False: its sessions are served, but nobody gets a new one. */
  readonly acceptsConnections: boolean;
  /** False: `fsync` or `full_page_writes` is off, and nobody has accepted that. null: not known yet. */
  readonly crashSafe: boolean | null;
  /** It should stream from the primary and does not, for so long; null: it does, or is the primary. */
  readonly missingMs: number | null;
  /** Of the postmaster where it runs on this machine and is known, else null. */
  readonly pid: number | null;
};

/** What an operator sees of one shard: SHOW SHARDS and the failover gauges. */
export type ShardStatus = {
  readonly shard: ShardId;
  readonly epoch: number;
  readonly primary: NodeId | null;
  readonly standbys: readonly NodeId[];
  /** The state machine's state, lower case: `open`, `suspect`, `promoting`, `blocked` ... */
  readonly state: string;
  /** As configured; `external`: somebody else promotes. */
  readonly mode: 'sync' | 'strict' | 'async' | 'external';
  /** `armed`: an acknowledged commit survives the loss of the primary. `none`: a single server. */
  readonly durability: 'armed' | 'arming' | 'solo' | 'async' | 'none';
  /** The standbys that acknowledged commits are on, and on how many of them each is; armed only. */
  readonly members: readonly NodeId[];
  readonly quorum: number;
  /** By an operator: nobody is promoted without being told to. */
  readonly paused: boolean;
  /** Why nobody would be promoted if the primary were lost now; empty: somebody would be. */
  readonly noPromotion: string;
  /** The primary answers, but acknowledges no write. */
  readonly writesStuck: boolean;
  /** What an operator should look at although statements flow, in words. */
  readonly alarms: readonly string[];
  /** Promotions since this supervisor started. */
  readonly failovers: number;
  /** What was found wrong with new primaries when they were opened, since then. */
  readonly findingsCount: number;
  /** Why statements wait, empty when they do not. */
  readonly reason: string;
};

/** The cluster at one moment, in configuration order. */
export type ClusterStatus = {
  readonly shards: readonly ShardStatus[];
  readonly nodes: readonly NodeStatus[];
};
