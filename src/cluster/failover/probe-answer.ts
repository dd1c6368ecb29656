import type { CrashSetting } from '../../config/config.ts';

/** One row of `pgweave.epoch`: which line of history a node's contents belong to. */
export type EpochRow = { readonly epoch: number; readonly uuid: string };

/** One row of pg_stat_replication that belongs to a physical standby. */
export type StandbyRow = {
  readonly applicationName: string;
  /** `streaming`, `catchup`, `startup` ... */
  readonly state: string;
  /** `sync`, `quorum`, `potential`, `async`. */
  readonly syncState: string;
  readonly flushLsn: bigint;
};

/** What one round trip of the standing probe learns about a node. */
export type ProbeAnswer = {
  readonly inRecovery: boolean;
  /** pg_control_system(): equal within a shard. */
  readonly systemId: string;
  readonly timeline: number;
  /** Changes with every restart, also after a crash: see startedAtSql. */
  readonly startedAt: string;
  /** As server_version_num: 180004 is 18.4. */
  readonly serverVersion: number;
  /** Primary: flushed. Standby: the greater of received and replayed. */
  readonly lsn: bigint;
  /** Standby: replayed; primary: as `lsn`. */
  readonly replayLsn: bigint;
  readonly replayPaused: boolean;
  /** null before the first epoch was written (or replayed). */
  readonly epoch: EpochRow | null;
  /** The name under which a standby presents itself to its primary; null on a primary. */
  readonly applicationName: string | null;
  /** `host:port` that a standby is told to receive from; null on a primary. */
  readonly upstream: string | null;
  /** A standby that we have pointed nowhere. */
  readonly revoked: boolean;
  /** Age of the last message from the primary; null without a streaming receiver. */
  readonly receiverAgeMs: number | null;
  /** As a primary: how long it may have nothing to say to a standby; Infinity: for ever. */
  readonly keepaliveMs: number;
  readonly synchronousStandbyNames: string;
  readonly synchronousCommit: string;
  /** What it needs to survive a crash of its machine, and does not do. */
  readonly off: readonly CrashSetting[];
  readonly standbys: readonly StandbyRow[];
};

/**
 * What a fresh connection and a startup packet learn without logging in: `starting` is 57P03,
 * `alive` any other answer (53300 included: a full server is alive), `silent` none in time,
 * `unreachable` an error that says nothing about the server (no route, name not found).
 */
export type ConnectOutcome = 'refused' | 'starting' | 'alive' | 'silent' | 'unreachable';
