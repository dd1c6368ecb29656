import { assert } from '../base/assert.ts';

const sessionBits = 20;

/** Sessions that one worker can tell apart at a time. */
export const sessionNumbersMax = 2 ** sessionBits;
/** Worker indexes are below this, so that the number stays positive as a signed 32-bit integer. */
export const workersMax = 2 ** (31 - sessionBits);

/**
 * The `process ID` of BackendKeyData, which a CancelRequest brings back over a new connection to
 * any worker: its upper bits say which worker owns the session. Never 0: drivers read that as none.
 */
export function encodeProcessId(place: {
  readonly workerIndex: number;
  /** 1 <= sessionNumber < sessionNumbersMax; unique among the worker's living sessions. */
  readonly sessionNumber: number;
}): number {
  assert(place.workerIndex >= 0 && place.workerIndex < workersMax, 'worker index out of range');
  assert(
    place.sessionNumber >= 1 && place.sessionNumber < sessionNumbersMax,
    'session number out of range',
  );
  return place.workerIndex * sessionNumbersMax + place.sessionNumber;
}

/**
 * The worker that a CancelRequest is meant for; it may not exist. Total over all 32-bit integers,
 * since the number comes from outside.
 */
export function workerIndexOf(processId: number): number {
  return (processId >>> 0) >>> sessionBits;
}
