import type { NodeId } from '../config/config.ts';
import type { Draft } from './draft.ts';
import type { Cause } from './failover-state.ts';
import type { ShardRecord } from './shard-record.ts';

export type ClaimOptions = {
  /** What the shard was before; becomes the durable claim together with the intent. */
  readonly record: ShardRecord;
  readonly candidate: NodeId;
  readonly cause: Cause;
  /** The primary lives and must first be made unable to acknowledge. */
  readonly drainFirst?: boolean;
};

/**
 * Writes down who will be primary of the next epoch, before anything is done about it. The new
 * primary starts without a standby, and that, too, is durable before its commits stop waiting.
 */
export function claim(draft: Draft, options: ClaimOptions): void {
  const { record, candidate, cause, drainFirst = false } = options;
  const epoch = Math.max(draft.state.epochMax, record.epoch) + 1;
  const intent = { candidate, epoch, uuid: draft.mintUuid() };
  // That a primary is found at the start is nothing to worry about.
  const isFirst = cause === 'found' && candidate === record.primary;
  const level = isFirst ? 'info' : 'warn';
  draft.log(level, drainFirst ? 'switching over' : 'claiming the next epoch', {
    cause,
    candidate,
    epoch,
    previous: record.primary,
  });
  draft.change({ epochMax: epoch });
  const { request } = draft.state;
  if (request !== null && cause === 'operator') {
    draft.change({ request: { ...request, accepted: true } });
  }
  draft.enter({ kind: 'claiming', cause, intent });
  draft.start({
    kind: 'save',
    expected: draft.state.revision,
    record: drainFirst
      ? { ...record, phase: { kind: 'claimed', intent } }
      : { ...record, durability: { kind: 'solo' }, phase: { kind: 'promoting', intent } },
  });
}
