import type { ProbeAnswer } from './probe-answer.ts';

/**
 * The first minor release of each major one in which no commit skips the wait for its standby right
 * after a start. Source: release notes of PostgreSQL, May 2025.
 */
const firstReliable: ReadonlyMap<number, number> = new Map([
  [13, 21],
  [14, 18],
  [15, 13],
  [16, 9],
  [17, 5],
]);

/** Why commits on this server are not sure to wait for the standbys that it names; null: they are. */
export function waitWeakness({ serverVersion, synchronousCommit }: ProbeAnswer): string | null {
  if (synchronousCommit !== 'on' && synchronousCommit !== 'remote_apply') {
    return `synchronous_commit is ${synchronousCommit}`;
  }
  const major = Math.floor(serverVersion / 10_000);
  const minor = serverVersion % 10_000;
  const needed = firstReliable.get(major) ?? 0;
  if (major >= 13 && minor >= needed) return null;
  const wanted = major >= 13 ? `${major}.${needed}` : '13.21';
  return `commits of PostgreSQL ${major}.${minor} may skip the wait for a standby, ${wanted} is needed`;
}
