import type { ShardStatus } from '../../src/cluster/cluster-status.ts';
import type { Failover } from '../../src/config/config.ts';

/** The defaults of the configuration. */
export const failoverFixture: Failover = {
  enabled: true,
  durability: 'sync',
  synchronousStandbys: 1,
  probeIntervalMs: 100,
  heartbeatIntervalMs: 1000,
  suspectAfterMs: 250,
  hangMs: 700,
  partitionMs: 3000,
  restartGraceMs: 500,
  degradeAfterMs: 1000,
  promoteTimeoutMs: 5000,
  cooldownMs: 30_000,
  resolvesCommits: true,
  resolvesWrites: false,
  lagBytesMax: 1024 ** 2,
  acceptsOff: [],
  stateDirectory: 'state',
  hooks: { fence: null, fenceRequired: false, rejoin: null, notify: null },
};

/** What is added to the status of a shard that is as it should be. */
export const wellFixture: Pick<
  ShardStatus,
  | 'mode'
  | 'members'
  | 'quorum'
  | 'paused'
  | 'noPromotion'
  | 'writesStuck'
  | 'alarms'
  | 'findingsCount'
> = {
  mode: 'sync',
  members: [],
  quorum: 0,
  paused: false,
  noPromotion: '',
  writesStuck: false,
  findingsCount: 0,
  alarms: [],
};
