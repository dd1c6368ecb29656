import type { NodeId } from '../../config/config.ts';
import type { Draft } from './draft.ts';
import type { Cause, Phase } from './failover-state.ts';
import type { NodeView } from './node-view.ts';
import type { ShardRecord } from './shard-record.ts';

export type ClaimOptions = {
  /** What the shard was before; becomes the durable claim together with the intent. */
  readonly record: ShardRecord;
  readonly cause: Cause;
  /**
   * `drain`: the primary lives and must first be made unable to acknowledge. `revoke`: who of several
   * standbys becomes primary is decided when none of them receives any more.
   */
  readonly how:
    | { readonly kind: 'promote' | 'drain'; readonly candidate: NodeId }
    | { readonly kind: 'revoke' };
};

/** Writes down who will be primary of the next epoch, before anything is done about it. */
export function claim(draft: Draft, { record, cause, how }: ClaimOptions): void {
  const epoch = Math.max(draft.state.epochMax, record.epoch) + 1;
  const uuid = draft.mintUuid();
  const candidate = how.kind === 'revoke' ? null : how.candidate;
  // That a primary is found at the start is nothing to worry about.
  const isFirst = cause === 'found' && candidate === record.primary;
  const level = isFirst ? 'info' : 'warn';
  draft.log(level, how.kind === 'drain' ? 'switching over' : 'claiming the next epoch', {
    cause,
    candidate: candidate ?? 'the standby that has most',
    epoch,
    previous: record.primary,
  });
  draft.change({ epochMax: epoch });
  if (how.kind === 'drain') {
    // Statements are held from now on.
    draft.change({
      times: { ...draft.state.times, suspectedAt: draft.now, confirmedAt: draft.now },
    });
  }
  const { request } = draft.state;
  if (request !== null && cause === 'operator') {
    draft.change({ request: { ...request, accepted: true } });
  }
  saveStep(draft, record, { kind: 'claiming', cause, step: stepOf(how, { epoch, uuid }) });
}

/** The claim of a dead primary's place for one of these; at least one. */
export function claimForOneOf(
  draft: Draft,
  record: ShardRecord,
  cause: Cause,
  nodes: readonly NodeView[],
): void {
  const [only, ...others] = nodes;
  const how =
    only !== undefined && others.length === 0
      ? ({ kind: 'promote', candidate: only.id } as const)
      : ({ kind: 'revoke' } as const);
  claim(draft, { record, cause, how });
}

export function saveStep(
  draft: Draft,
  record: ShardRecord,
  phase: Phase & { readonly kind: 'claiming' },
): void {
  draft.enter(phase);
  draft.start({
    kind: 'save',
    expected: draft.state.revision,
    record: { ...record, phase: phase.step },
  });
}

function stepOf(
  how: ClaimOptions['how'],
  row: { readonly epoch: number; readonly uuid: string },
): (Phase & { readonly kind: 'claiming' })['step'] {
  if (how.kind === 'revoke') return { kind: 'revoking', intent: row };
  const intent = { candidate: how.candidate, ...row };
  return how.kind === 'drain' ? { kind: 'claimed', intent } : { kind: 'promoting', intent };
}
