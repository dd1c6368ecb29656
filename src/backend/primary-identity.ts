/**
 * What a server must prove before a connection to it may be used as one to a shard's primary: that it
 * takes writes is not enough, an old primary does so, too.
 */
export type PrimaryIdentity = {
  /** pg_control_system(), equal within a shard. */
  readonly systemId: string;
  /** null: somebody else promotes, so it may be any. */
  readonly timeline: number | null;
  /** Of the last row of `pgweave.epoch`; null: nobody writes such rows there. */
  readonly uuid: string | null;
  /**
   * Of its sessions, whatever ALTER ROLE and ALTER DATABASE say: an acknowledged commit would not be
   * safe with less. null: as the server has it.
   */
  readonly synchronousCommit: 'on' | 'remote_apply' | null;
};
