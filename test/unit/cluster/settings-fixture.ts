import type { FailoverSettings } from '../../../src/cluster/failover/failover-state.ts';

/** The defaults of the configuration, without hooks. */
export const settingsFixture: FailoverSettings = {
  suspectAfterMs: 250,
  hangMs: 700,
  restartGraceMs: 500,
  partitionMs: 3000,
  degradeAfterMs: 1000,
  promoteTimeoutMs: 5000,
  cooldownMs: 30_000,
  durability: 'sync',
  synchronousStandbys: 1,
  lagBytesMax: 1024 ** 2,
  acceptsOff: [],
  fence: 'none',
  rejoin: false,
  notify: false,
};
