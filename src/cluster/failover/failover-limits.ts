/** Delays of the machine that no configuration needs to change; milliseconds and bytes. */
export const failoverLimits = {
  /** Between the two refused connects that prove a death. */
  refusedSpacingMs: 40,
  /** Between probes of a node that is suspect or down. */
  probeSpacingMs: 100,
  /** How long a candidate may be silent at the moment of its promotion. */
  candidateSilenceMs: 500,
  /** A standby further behind is not made synchronous yet, nor switched over to. */
  lagBytesMax: 16n * 1024n * 1024n,
  /** A standby that has still to replay more is not switched over to. */
  replayBytesMax: 1024n * 1024n,
  /** A write of our own that waits longer is an alarm. */
  heartbeatLateMs: 3000,
  /**
   * A primary whose sessions answer is asked for a new one this often: only its postmaster may hang,
   * which nobody who is connected notices.
   */
  connectEveryMs: 5000,
  /** After the first that got no answer: one may be chance. */
  connectAgainMs: 1000,
  silentConnectsMin: 2,
  /** After a primary was replaced, its shard is looked at once more. */
  verifyAfterMs: 5000,
  /** A node that does not stream from the primary for so long has to be looked at. */
  missingAlarmMs: 600_000,
  /** After so many writes of our own without one of its another supervisor is gone. */
  rivalBeatsMax: 3,
  retryMs: 500,
  fenceEveryMs: 5000,
  /** A standby that receives nothing is pointed to the primary again after this long. */
  repointEveryMs: 3000,
  /** One that has been pointed there and got nothing for so long has parted from its history. */
  partedAfterMs: 10_000,
  /** After a rejoin hook that asked for it. */
  rejoinAgainMs: 30_000,
} as const;
