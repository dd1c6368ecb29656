import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { NodeAddress } from '../config/config.ts';
import type { CancelKey } from '../protocol/backend-key-data.ts';
import { encodeCancelRequest } from '../protocol/startup-packet.ts';
import { NodeSocket } from './node-socket.ts';
import type { ServerTls } from './server-tls.ts';

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
  readonly tls: ServerTls;
};

/**
 * Asks the server to cancel what the session of `key` runs, over a connection of its own, encrypted
 * if the session is: whoever reads the key can cancel too.
 */
export function sendCancelRequest(
  request: CancelRequest,
  onOutcome: (outcome: CancelOutcome) => void,
): void {
  const link = new NodeSocket(request.node, () => {});
  const raw = link.socket;
  let outcome: CancelOutcome = 'settled';
  const stopTimer = request.clock.after(request.timeoutMs, () => link.socket.destroy());
  const watch = (socket: Socket) => {
    socket.on('end', () => {
      outcome = 'settled';
    });
    // Its consequence is the 'close' that follows.
    socket.on('error', () => {});
    // Nothing is expected, but without reading the end would not be seen.
    socket.resume();
  };
  const send = () => {
    outcome = 'unknown';
    link.socket.write(encodeCancelRequest(request.key));
  };
  watch(raw);
  raw.on('close', () => {
    stopTimer();
    onOutcome(outcome);
  });
  raw.once('connect', () => {
    if (request.tls.mode === 'disable') {
      send();
      return;
    }
    link.requestTls(request.tls, (isWilling) => {
      if (!isWilling) {
        raw.destroy();
        return;
      }
      watch(link.socket);
      link.socket.once('secureConnect', send);
    });
  });
}
