import type { Clock } from '../base/clock.ts';
import type { NodeAddress } from '../config/config.ts';
import type { CancelKey } from '../protocol/backend-key-data.ts';
import { encodeCancelRequest } from '../protocol/startup-packet.ts';
import { NodeSocket } from './node-socket.ts';

/**
 * `settled`: the signal, if any, has been sent, since the server closes the connection only after
 * that; `unknown`: it may still come.
 */
export type CancelOutcome = 'settled' | 'unknown';

export type CancelRequest = {
  readonly node: NodeAddress;
  readonly key: CancelKey;
  readonly clock: Clock;
  readonly timeoutMs: number;
};

/** Asks the server to cancel what the session of `key` runs, over a connection of its own. */
export function sendCancelRequest(
  request: CancelRequest,
  onOutcome: (outcome: CancelOutcome) => void,
): void {
  const { socket } = new NodeSocket(request.node, () => {});
  let outcome: CancelOutcome = 'settled';
  socket.on('connect', () => {
    outcome = 'unknown';
    socket.write(encodeCancelRequest(request.key));
  });
  socket.on('end', () => {
    outcome = 'settled';
  });
  // Its consequence is the 'close' that follows.
  socket.on('error', () => {});
  const stopTimer = request.clock.after(request.timeoutMs, () => socket.destroy());
  socket.on('close', () => {
    stopTimer();
    onOutcome(outcome);
  });
  // Nothing is expected, but without reading the end would not be seen.
  socket.resume();
}
