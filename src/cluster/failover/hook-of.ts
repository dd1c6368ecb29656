import type { HookCall } from './hook-call.ts';
import type { ShardRecord } from './shard-record.ts';

/** What a hook is told about a shard whose record this is. */
export function hookCall(
  record: ShardRecord,
  about: Pick<HookCall, 'hook' | 'event' | 'node' | 'message'>,
): HookCall {
  const { shard, epoch, uuid, timeline, switchLsn, primary } = record;
  return { ...about, shard, primary, epoch, uuid, timeline, switchLsn };
}
