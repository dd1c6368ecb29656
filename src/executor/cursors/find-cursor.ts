import type { ClientPortal } from '../session/session-events.ts';
import type { SessionExecutor } from '../session-executor.ts';
import type { OpenCursor } from './open-cursors.ts';

/** What a name stands for in FETCH, MOVE and CLOSE: SQL's cursors and portals share their names. */
export function findCursor(
  executor: SessionExecutor,
  name: string,
): OpenCursor | { readonly kind: 'portal'; readonly portal: ClientPortal } | null {
  const cursor = executor.cursors.get(name);
  if (cursor !== null) return cursor;
  const portal = executor.session.portal(name);
  if (portal === null) return null;
  return portal.shard === null
    ? { kind: 'portal', portal }
    : { kind: 'shard', shard: portal.shard, hold: false };
}
