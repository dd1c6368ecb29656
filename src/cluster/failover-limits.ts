/** Delays of the machine that no configuration needs to change; milliseconds and bytes. */
export const failoverLimits = {
  /** Between the two refused connects that prove a death. */
  refusedSpacingMs: 40,
  /** Between probes of a node that is suspect or down. */
  probeSpacingMs: 100,
  /** Silent to us, but the standby still receives: how long before we believe ourselves. */
  partitionMs: 3000,
  /** How long a candidate may be silent at the moment of its promotion. */
  candidateSilenceMs: 500,
  /** Commits wait this long for a standby that has gone before they no longer do. */
  degradeAfterMs: 1000,
  /** The same for one that is connected but confirms nothing. */
  frozenAfterMs: 2000,
  /** A standby further behind is not made synchronous yet, nor switched over to. */
  lagBytesMax: 16n * 1024n * 1024n,
  retryMs: 500,
  fenceEveryMs: 5000,
} as const;
